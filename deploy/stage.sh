#!/bin/sh
# Lays out the image: in FOLDER/root the binary, the shared libraries that it names, certificate authorities and one user,
# all of it root's; in FOLDER/data the data folder, which is that user's.
#   deploy/stage.sh BINARY FOLDER
set -eu
binary=$1
root=$2/root
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp" "$2/data"
install -m 0755 "$binary" "$root/usr/bin/paperknife"
# Each library under the path by which the loader looks for it; the loader itself is among them.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  install -m 0755 "$(readlink -f "$library")" "$root$library"
done
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'paperknife:x:10001:10001::/data:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'paperknife:x:10001:' > "$root/etc/group"
chmod 1777 "$root/tmp"
chmod 0700 "$2/data"
