//! The recorder around a server: the library that is preloaded, its log, and the faults that it is asked for.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// EIO, ENOSPC, EROFS.
pub(crate) const IO: u32 = 5;
pub(crate) const NO_SPACE: u32 = 28;
pub(crate) const READ_ONLY: u32 = 30;

/// Records what a server does to a data folder.
pub(crate) struct Recorder {
    data: PathBuf,
    log: PathBuf,
    faults: PathBuf,
}

impl Recorder {
    /// Of the folder `data`, with its log beside it.
    pub(crate) fn of(data: &Path) -> Self {
        let recorder = Self {
            data: data.to_owned(),
            log: data.with_file_name("disk.log"),
            faults: data.with_file_name("disk.faults"),
        };
        std::fs::write(&recorder.faults, [0; 16]).unwrap();
        File::create(&recorder.log).unwrap();
        recorder
    }

    /// What a process must find in its environment to be recorded.
    pub(crate) fn environment(&self) -> [(&'static str, &str); 4] {
        let text = |path: &'_ PathBuf| -> &'static str { path.to_str().unwrap().to_owned().leak() };
        [
            ("LD_PRELOAD", text(library())),
            ("DISK_FOLDER", text(&self.data)),
            ("DISK_LOG", text(&self.log)),
            ("DISK_FAULTS", text(&self.faults)),
        ]
    }

    pub(crate) fn log(&self) -> Vec<u8> {
        std::fs::read(&self.log).unwrap()
    }

    /// Writes what a client knows into the log: these values were acknowledged by now.
    pub(crate) fn acknowledged(&self, values: &[u32]) {
        let mut log = OpenOptions::new().append(true).open(&self.log).unwrap();
        for value in values {
            let mut record = [0; 256];
            record[0] = b'A';
            record[8..12].copy_from_slice(&value.to_le_bytes());
            log.write_all(&record).unwrap();
        }
    }

    /// From now on so many of a thousand syncs of files fail.
    pub(crate) fn fail_syncs(&self, per_mille: u32, errno: u32) {
        self.set(0, per_mille, errno);
    }

    /// From now on so many of a thousand writes fail.
    pub(crate) fn fail_writes(&self, per_mille: u32, errno: u32) {
        self.set(8, per_mille, errno);
    }

    fn set(&self, at: u64, per_mille: u32, errno: u32) {
        let bytes = [per_mille.to_ne_bytes(), errno.to_ne_bytes()].concat();
        OpenOptions::new().write(true).open(&self.faults).unwrap().write_all_at(&bytes, at).unwrap();
    }
}

/// The library, compiled once a run.
fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/powercut/recorder.c");
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("recorder-{}.so", std::process::id()));
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&built)
            .arg(source)
            .arg("-ldl")
            .status();
        assert!(compiled.expect("cc").success());
        built
    })
}
