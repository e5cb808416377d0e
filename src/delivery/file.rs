//! Events into a file, a line of JSON each. Only in the folder that the configuration names, and only under plain names: who
//! may subscribe does not choose where on this machine bytes go (threat E18). Imports std alone.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether the name is a plain one: letters, digits, `.`, `_`, `-`, no dot in front.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

/// Appends a line to `NAME.ndjson` in the folder; when it returns, the line is on disk.
pub(super) fn append(folder: &Path, name: &str, mut line: Vec<u8>) -> io::Result<()> {
    if !is_name(name) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    line.push(b'\n');
    let file = folder.join(format!("{name}.ndjson"));
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    // One write, so that lines of several deliveries do not mix.
    file.write_all(&line)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::{append, is_name};

    #[test]
    fn names_lead_nowhere_else() {
        for name in ["alarms", "a.b-c_1"] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", ".", "..", ".hidden", "../x", "a/b", "/etc/passwd", "a\\b", "a\0", "a b", "\u{e9}", &"a".repeat(65)]
        {
            assert!(!is_name(name), "{name}");
            assert!(append(std::path::Path::new("/nowhere"), name, Vec::new()).is_err(), "{name}");
        }
    }

    #[test]
    fn lines_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        for line in ["one", "two"] {
            append(folder.path(), "log", line.into()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(folder.path().join("log.ndjson")).unwrap(), "one\ntwo\n");
    }
}
