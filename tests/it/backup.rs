//! A copy made while the gateway runs, and a gateway made of it: what the copy holds is there and is a duplicate when it
//! comes again, what it does not hold is taken.

use std::path::Path;

use crate::fleet;
use crate::gateway::{Gateway, done, paperknife};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_was_copied_under_load_is_whole_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, restored) = (folder.path().join("copy"), folder.path().join("data"));
    let mut gateway = Gateway::start();
    let mut devices = fleet::known_devices(&gateway, 3);
    let before: Vec<Vec<u8>> = (0..30).map(|nth| devices[nth % 3].seal(nth as f64)).collect();
    for sealed in &before {
        assert_eq!(gateway.deliver(sealed, None, None)["verdict"], "opened");
    }
    // Copied while more comes in.
    let during: Vec<Vec<u8>> = (0..60).map(|nth| devices[nth % 3].seal(nth as f64)).collect();
    std::thread::scope(|scope| {
        let load = scope.spawn(|| during.iter().for_each(|sealed| drop(gateway.ingest(sealed, &[]))));
        done(&["backup", text(&copy), "--data", &gateway.place()]);
        load.join().unwrap();
    });
    let root_key = gateway.data().join("root.key");
    let refused = paperknife(&["restore", text(&copy), "--data", text(&restored)]);
    assert!(!refused.status.success() && !restored.exists(), "the copy does not hold the root key");
    let said = done(&["restore", text(&copy), "--root-key", text(&root_key), "--data", text(&restored)]);
    assert!(said.contains("keys unsealed"), "{said}");
    gateway.kill();
    let second = Gateway::restored_at(folder.path(), &gateway);
    for sealed in &before {
        assert_eq!(second.deliver(sealed, None, None)["verdict"], "duplicate");
    }
    let verdicts: Vec<String> = during
        .iter()
        .map(|sealed| second.deliver(sealed, None, None)["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert!(verdicts.iter().all(|verdict| ["opened", "duplicate"].contains(&verdict.as_str())), "{verdicts:?}");
    assert_eq!(second.list("/v1/messages").len(), 90);
    second.assert_conserved();
    assert!(second.logged().contains("restored from a backup"));
}

#[test]
fn a_copy_that_is_damaged_or_a_folder_that_is_there_is_refused_and_nothing_appears() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, restored) = (folder.path().join("copy"), folder.path().join("restored"));
    let gateway = Gateway::start();
    gateway.deliver(b"garbage", None, None);
    done(&["backup", text(&copy), "--with-root-key", "--data", &gateway.place()]);
    assert!(!paperknife(&["backup", text(&copy), "--data", &gateway.place()]).status.success(), "never over another");
    assert!(!paperknife(&["restore", text(&copy), "--data", &gateway.place()]).status.success());
    for file in ["store.db", "keystore.db"] {
        let whole = std::fs::read(copy.join(file)).unwrap();
        let mut damaged = whole.clone();
        // The last pages, which hold rows of each table.
        let length = damaged.len();
        damaged[4096.min(length / 2)..].fill(0x5a);
        std::fs::write(copy.join(file), damaged).unwrap();
        let output = paperknife(&["restore", text(&copy), "--data", text(&restored)]);
        assert!(!output.status.success() && !restored.exists(), "{file}");
        std::fs::write(copy.join(file), whole).unwrap();
    }
    done(&["restore", text(&copy), "--data", text(&restored)]);
    assert!(restored.join("store.db").exists());
}
