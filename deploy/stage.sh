#!/bin/sh
# Lays out the root of the image: the binary, the shared libraries that it names, certificate authorities, one user.
#   deploy/stage.sh BINARY FOLDER
set -eu
binary=$1
root=$2
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/data" "$root/tmp"
install -m 0755 "$binary" "$root/usr/bin/paperknife"
# Each library under the path by which the loader looks for it; the loader itself is among them.
ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  install -m 0755 "$(readlink -f "$library")" "$root$library"
done
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'paperknife:x:10001:10001::/data:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'paperknife:x:10001:' > "$root/etc/group"
chown 10001:10001 "$root/data"
chmod 0700 "$root/data"
chmod 1777 "$root/tmp"
