//! API tokens: who passes, who does not.

use crate::error::AdminError;
use crate::fixture::{defaults, on_disk};
use crate::{Keystore, Scope};

#[test]
fn a_token_passes_with_its_scopes() {
    let (folder, keystore) = on_disk();
    assert!(keystore.has_no_token_yet().unwrap());
    let text = keystore.token_add("ops", &[Scope::Read, Scope::KeysExport], "default").unwrap();
    assert!(!keystore.has_no_token_yet().unwrap());
    assert!(text.starts_with("pkn_") && text.len() == 4 + 16 + 1 + 43, "{} characters", text.len());
    drop(keystore);
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    let token = keystore.token_check(&text).unwrap().unwrap();
    assert_eq!((token.name.as_str(), token.tenant.as_str()), ("ops", "default"));
    assert!(token.allows(Scope::Read) && token.allows(Scope::KeysExport));
    assert!(!token.allows(Scope::Admin) && !token.allows(Scope::Keys));
}

#[test]
fn an_altered_token_does_not_pass() {
    let (_folder, keystore) = on_disk();
    let text = keystore.token_add("ops", &[Scope::Read], "default").unwrap();
    for at in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert_eq!(keystore.token_check(&altered).unwrap(), None, "{altered}");
    }
    let other = keystore.token_add("other", &[Scope::Read], "default").unwrap();
    let crossed = format!("{}{}", &text[..20], &other[20..]);
    for wrong in [
        "",
        "pkn_",
        "pkn__",
        "pkr_x",
        &text[..63],
        &format!("{text}A"),
        &crossed,
        &"é".repeat(40),
        &text.to_uppercase(),
    ] {
        assert_eq!(keystore.token_check(wrong).unwrap(), None, "{wrong}");
    }
    assert!(keystore.token_check(&text).unwrap().is_some(), "the untouched twin");
}

#[test]
fn a_revoked_token_does_not_pass_at_once_and_everywhere() {
    let (folder, keystore) = on_disk();
    let other = Keystore::open(folder.path(), defaults()).unwrap();
    let by_name = keystore.token_add("one", &[Scope::Admin], "default").unwrap();
    let by_id = keystore.token_add("two", &[Scope::Admin], "default").unwrap();
    let id = other.token_check(&by_id).unwrap().unwrap().id;
    other.token_revoke("one").unwrap();
    other.token_revoke(&id).unwrap();
    for text in [by_name, by_id] {
        assert_eq!(keystore.token_check(&text).unwrap(), None);
    }
    assert!(matches!(keystore.token_revoke("one"), Err(AdminError::NotFound(_))));
    let mut listed: Vec<_> = keystore.tokens().unwrap().into_iter().map(|token| (token.name, token.status)).collect();
    // Both may be of one millisecond.
    listed.sort();
    assert_eq!(listed, [("one".to_owned(), "revoked"), ("two".to_owned(), "revoked")]);
    assert!(!keystore.has_no_token_yet().unwrap(), "the next start is not a first one");
    keystore.token_add("one", &[Scope::Read], "default").unwrap();
}

#[test]
fn a_token_has_a_name_of_its_own_and_a_scope() {
    let (_folder, keystore) = on_disk();
    keystore.token_add("ops", &[Scope::Read], "default").unwrap();
    assert!(matches!(keystore.token_add("ops", &[Scope::Read], "default"), Err(AdminError::Conflict(_))));
    assert!(matches!(keystore.token_add("none", &[], "default"), Err(AdminError::Invalid(_))));
    assert!(matches!(keystore.token_add("", &[Scope::Read], "default"), Err(AdminError::Invalid(_))));
    for scope in Scope::ALL {
        assert_eq!(Scope::from_name(scope.name()), Some(*scope));
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
    }
    assert_eq!(Scope::from_name("root"), None);
}
