//! Promises of keystore.md §1 and §5, on a real file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::{any, proptest};

use crate::fixture::{MASTER_JWK, bytes, defaults, import, key, key_set, offline, on_disk};
use crate::key::Name;
use crate::{ImportOptions, Keystore, OpenError};

/// A key that no other test uses: its bytes are looked for.
const CANARY: &[u8; 32] = b"\x8f\x13canary\x9c\x77-of-the-strongroom\xe1\xd4\x3c\x05";

fn canary_jwk() -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let k = Base64UrlUnpadded::encode_string(CANARY);
    format!(r#"{{"kty":"oct","k":"{k}","paperknife":{{"kid_hex":"ca","profile":"paperknife-1","device":"d"}}}}"#)
}

fn find(keystore: &Keystore, kid_hex: &str) -> Result<usize, OpenError> {
    keystore.find("default", Some(Name::Kid(&bytes(kid_hex)))).map(|keys| keys.len())
}

/// Edits the file as whoever can write it would.
fn edit(keystore: &Keystore, sql: &str) {
    keystore.records.write(|transaction| Ok(transaction.execute_batch(sql)?)).unwrap();
    keystore.cache.forget();
}

fn holds(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A secret as a careless hand could have written it.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    use base64ct::{Base64, Base64UrlUnpadded, Encoding};
    vec![
        secret.to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        Base64::encode_string(secret).into_bytes(),
        Base64UrlUnpadded::encode_string(secret).into_bytes(),
    ]
}

#[test]
fn k1_no_secret_byte_is_readable_at_rest() {
    let (folder, keystore) = on_disk();
    import(&keystore, &canary_jwk());
    import(&keystore, &key_set());
    let token = keystore.token_add("t", &[crate::Scope::Admin], "default").unwrap();
    let d = bytes("852f30499dfa84a3f8df445e87e1fd8ba8847f22ceb53f3f2bc6270a52de9f05");
    let secret = token.rsplit_once('_').map(|(_, secret)| secret.as_bytes().to_vec()).unwrap();
    let secrets = [forms(CANARY), forms(&d), vec![secret]].concat();
    for opened in [true, false] {
        let keystore = opened.then_some(&keystore);
        for secret in &secrets {
            assert_eq!(holds(folder.path(), secret), Vec::<String>::new(), "open: {}", keystore.is_some());
        }
    }
    drop(keystore);
    for secret in &secrets {
        assert_eq!(holds(folder.path(), secret), Vec::<String>::new(), "after the log was folded in");
    }
    let shown = format!("{:?}", key(&Keystore::open(folder.path(), defaults()).unwrap(), "ca"));
    for form in forms(CANARY) {
        assert!(!shown.contains(&*String::from_utf8_lossy(&form)), "Debug of a key");
    }
}

/// SuppPrivInfo and the parts of an RSA key are secrets like any other.
#[test]
fn k1_other_secrets_are_not_readable_at_rest() {
    use base64ct::{Base64UrlUnpadded, Encoding};
    let (folder, keystore) = on_disk();
    let priv_other = Base64UrlUnpadded::encode_string(CANARY);
    let gateway =
        crate::fixture::GATEWAY_JWK.replace(r#""profile""#, &format!(r#""priv_other":"{priv_other}","profile""#));
    import(&keystore, &gateway);
    let rsa = include_str!("import/tests/rsa_pkcs8.pem");
    let options = ImportOptions {
        kid: Some(b"rsa".to_vec()),
        algs: vec!["RSAES-OAEP w/ SHA-256".to_owned()],
        ..ImportOptions::default()
    };
    keystore.import(rsa.as_bytes(), &options).unwrap();
    let body: String = rsa.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64ct::Base64::decode_vec(&body).unwrap();
    // A stretch of the private exponent, which lies between modulus and primes.
    let secrets = [forms(CANARY), forms(&der[330..362])].concat();
    let listed = format!("{:?}", keystore.keys("default").unwrap());
    drop(keystore);
    for secret in secrets {
        assert_eq!(holds(folder.path(), &secret), Vec::<String>::new());
        assert!(!listed.contains(&*String::from_utf8_lossy(&secret)));
    }
    let again = Keystore::open(folder.path(), defaults()).unwrap();
    assert!(key(&again, "67772d31").policy.kdf_inputs.priv_other);
}

#[test]
fn a_database_of_the_first_schema_is_migrated() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    edit(
        &keystore,
        "DROP TABLE key_name; DROP TABLE webhook; DROP TABLE certificate; DROP TABLE crl; PRAGMA user_version = 1",
    );
    drop(keystore);
    let keystore = Keystore::open(folder.path(), defaults()).unwrap();
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
    assert_eq!(keystore.find("default", Some(Name::Ski(&[7]))).unwrap().len(), 0);
    let options = ImportOptions {
        device: Some("meter-7".to_owned()),
        algs: vec!["ES256".to_owned()],
        ..ImportOptions::default()
    };
    let imported = keystore.import(include_bytes!("import/tests/certificate.pem"), &options).unwrap();
    let ski = bytes(&imported[0].kid_hex);
    assert_eq!(keystore.find("default", Some(Name::Ski(&ski))).unwrap().len(), 1);
}

#[test]
fn k1_an_import_error_quotes_no_byte() {
    let keystore = offline(&key_set());
    for field in ["k", "d", "kty", "alg", "use"] {
        for value in ["\"c2VjcmV0LXNlY3JldA!\"", "{\"x\":\"c2VjcmV0LXNlY3JldA\"}", "[\"c2VjcmV0LXNlY3JldA\"]", "5555"] {
            for kty in ["oct", "EC", "OKP", "RSA", "AKP"] {
                let rest = if field == "kty" { String::new() } else { format!(r#","kty":"{kty}""#) };
                let file = format!(r#"{{"crv":"P-256","{field}":{value}{rest}}}"#);
                let error = keystore.import(file.as_bytes(), &ImportOptions::default()).unwrap_err().to_string();
                assert!(!error.contains("c2Vj") && !error.contains("5555"), "{error}");
            }
        }
    }
}

#[test]
fn k2_a_flipped_bit_is_found_and_others_go_on() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let sealed: Vec<u8> = keystore
        .records
        .read(|reader| {
            let sql = "SELECT sealed FROM key WHERE kid = x'01a2b3c4'";
            Ok::<_, OpenError>(reader.query_row(sql, [], |row| row.get(0))?)
        })
        .unwrap();
    let put = |blob: &[u8]| {
        edit(&keystore, &format!("UPDATE key SET sealed = x'{}' WHERE kid = x'01a2b3c4'", hex::encode(blob)));
    };
    for bit in (0..sealed.len() * 8).step_by(7) {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        put(&flipped);
        assert!(matches!(find(&keystore, "01a2b3c4"), Err(OpenError::Tampered(_))), "bit {bit}");
    }
    assert_eq!(find(&keystore, "b1a2b3c4").unwrap(), 1, "the others go on");
    put(&sealed);
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1, "the untouched twin");
}

#[test]
fn k2_swapped_records_are_found() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    // With the record alone, and with the MAC that belongs to it.
    for columns in ["sealed", "sealed, mac", "mac"] {
        edit(
            &keystore,
            &format!(
                "CREATE TABLE old AS SELECT * FROM key;
                 UPDATE key SET ({columns}) = (SELECT {columns} FROM old WHERE kid = x'b1a2b3c4') WHERE kid = x'01a2b3c4';
                 UPDATE key SET ({columns}) = (SELECT {columns} FROM old WHERE kid = x'01a2b3c4') WHERE kid = x'b1a2b3c4';"
            ),
        );
        for kid in ["01a2b3c4", "b1a2b3c4"] {
            assert!(matches!(find(&keystore, kid), Err(OpenError::Tampered(_))), "{columns} of {kid}");
        }
        edit(&keystore, "DELETE FROM key; INSERT INTO key SELECT * FROM old; DROP TABLE old;");
        assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
    }
}

#[test]
fn k3_every_edited_column_is_found() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    keystore.token_add("t", &[crate::Scope::Read], "default").unwrap();
    keystore.device_add("default", "other").unwrap();
    for table in ["keyring", "key", "device", "token"] {
        for (column, kind) in columns(&keystore, table) {
            let edited = match (table, column.as_str(), kind.as_str()) {
                // What is looked up by stays, or the row is simply not there.
                (_, "tenant" | "kid", _) => continue,
                (_, "policy", _) => r#"'{"strict_profile":false}'"#.to_owned(),
                (_, _, "INTEGER") => format!("coalesce({column}, 0) + 1"),
                (_, _, "BLOB") => format!("CAST(coalesce({column}, x'') || x'00' AS BLOB)"),
                (_, _, _) => format!("coalesce({column}, '') || 'x'"),
            };
            edit(
                &keystore,
                &format!("CREATE TABLE old AS SELECT * FROM {table}; UPDATE {table} SET {column} = {edited};"),
            );
            assert!(detects(&keystore, table), "{table}.{column}");
            edit(&keystore, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM old; DROP TABLE old;"));
            assert!(!detects(&keystore, table), "{table}: the untouched twin");
        }
    }
}

fn columns(keystore: &Keystore, table: &str) -> Vec<(String, String)> {
    keystore
        .records
        .read(|reader| {
            let mut statement = reader.prepare(&format!("SELECT name, type FROM pragma_table_info('{table}')"))?;
            let columns = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            columns.collect::<Result<Vec<_>, _>>()
        })
        .unwrap()
}

/// Whether reading the table meets a record that is not whole.
fn detects(keystore: &Keystore, table: &str) -> bool {
    match table {
        "keyring" => keystore.write(0, |_, _| Ok(())).is_err(),
        "key" => keystore.keys("default").is_err() && matches!(find(keystore, "b1a2b3c4"), Err(OpenError::Tampered(_))),
        "device" => keystore.devices("default").is_err(),
        _ => keystore.tokens().is_err(),
    }
}

#[test]
fn k3_a_planted_row_is_passed_over() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let columns: Vec<_> = columns(&keystore, "key").into_iter().map(|(name, _)| name).collect();
    let planted = columns.iter().map(|name| match name.as_str() {
        "id" => "'planted'",
        "thumbprint" => "'planted'",
        "device" => "'urn:dev:victim'",
        name => name,
    });
    let planted = planted.collect::<Vec<_>>().join(", ");
    edit(&keystore, &format!("INSERT INTO key SELECT {planted} FROM key WHERE kid = x'b1a2b3c4'"));
    assert_eq!(find(&keystore, "b1a2b3c4").unwrap(), 1, "the true key of that name goes on alone");
    edit(&keystore, "UPDATE key SET kid = x'b1' WHERE id = 'planted'");
    assert!(matches!(find(&keystore, "b1"), Err(OpenError::Tampered(id)) if id == "planted"));
}

#[test]
fn names_are_scoped_by_tenant_and_compared_as_bytes() {
    let (_folder, keystore) = on_disk();
    import(&keystore, &key_set());
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
    for (tenant, kid) in [
        ("other", &b"\x01\xa2\xb3\xc4"[..]),
        ("default", b"\x01\xa2\xb3"),
        ("default", b"\x01\xa2\xb3\xc4\x00"),
        ("default", b"' OR 1=1 --"),
        ("default", b""),
        ("default", &[0; 257]),
        ("default", &[0; 65_536]),
        ("", b"\x01\xa2\xb3\xc4"),
    ] {
        assert_eq!(keystore.find(tenant, Some(Name::Kid(kid))).unwrap().len(), 0, "{tenant} {kid:?}");
    }
    assert!(keystore.find("default", None).unwrap().is_empty(), "no name, no key");
}

#[test]
fn a_shared_kid_has_at_most_eight_candidates() {
    let (_folder, keystore) = on_disk();
    for device in 0..12_u8 {
        use base64ct::{Base64UrlUnpadded, Encoding};
        let k = Base64UrlUnpadded::encode_string(&[[device; 16], [0xaa; 16]].concat());
        import(
            &keystore,
            &format!(
                r#"{{"kty":"oct","k":"{k}","paperknife":{{"kid_hex":"07","profile":"paperknife-1","device":"d{device}"}}}}"#
            ),
        );
    }
    assert_eq!(find(&keystore, "07").unwrap(), 8);
}

#[test]
fn a_key_imported_by_another_process_is_found_after_generation() {
    let (folder, keystore) = on_disk();
    let before = keystore.generation().unwrap();
    assert_eq!(keystore.generation().unwrap(), before, "nothing happened");
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 0, "and this is remembered");
    let other = Keystore::open(folder.path(), defaults()).unwrap();
    import(&other, &key_set());
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 0, "until the generation is asked for");
    assert_ne!(keystore.generation().unwrap(), before);
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
    let id = key(&keystore, "01a2b3c4").id.clone();
    other.disable("default", &id, None, "lost").unwrap();
    keystore.generation().unwrap();
    assert_eq!(key(&keystore, "01a2b3c4").status, crate::key::Status::Disabled);
}

#[test]
fn own_writes_are_seen_at_once_and_move_the_generation() {
    let (_folder, keystore) = on_disk();
    let before = keystore.generation().unwrap();
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 0);
    import(&keystore, &key_set());
    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
    assert_ne!(keystore.generation().unwrap(), before);
}

#[test]
fn finding_goes_on_while_keys_are_imported() {
    let (folder, keystore) = on_disk();
    import(&keystore, &key_set());
    let (other, done) = (Keystore::open(folder.path(), defaults()).unwrap(), AtomicBool::new(false));
    let kids: Vec<_> = (0..40_u8).map(|at| format!("f0{at:02x}")).collect();
    std::thread::scope(|scope| {
        let _done = SetOnDrop(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    keystore.generation().unwrap();
                    assert_eq!(find(&keystore, "01a2b3c4").unwrap(), 1);
                    kids.iter().for_each(|kid| assert!(find(&keystore, kid).unwrap() <= 1));
                }
            });
        }
        for (at, kid) in kids.iter().enumerate() {
            use base64ct::{Base64UrlUnpadded, Encoding};
            let k = Base64UrlUnpadded::encode_string(&[[at as u8; 16], [0xaa; 16]].concat());
            let jwk = MASTER_JWK.replace("01a2b3c4", kid).replace("uJXxQ0s6A5fpTgAO1XsThQF9K8QL1M1RXKc2rOUk_gI", &k);
            import(if at % 2 == 0 { &other } else { &keystore }, &jwk);
            keystore.generation().unwrap();
            assert_eq!(find(&keystore, kid).unwrap(), 1, "no look-up that raced may hide it");
        }
    });
}

/// Ends the other threads even when an assertion fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_flood_of_unknown_kids_takes_no_memory_per_kid() {
    let (_folder, keystore) = on_disk();
    for kid in 0..20_000_u32 {
        assert!(keystore.find("default", Some(Name::Kid(&kid.to_be_bytes()))).unwrap().is_empty());
    }
    assert!(keystore.cache.unknown_names() <= 4_096 + 64);
}

#[test]
fn offline_a_key_without_kid_fits_any_name() {
    let keystore = offline(&MASTER_JWK.replace(r#""kid":"AaKzxA","#, "").replace(r#""kid_hex":"01a2b3c4","#, ""));
    assert_eq!(key(&keystore, "01a2b3c4").kid, bytes("01a2b3c4"), "the name goes into the derivation");
    assert_eq!(keystore.find("default", None).unwrap().len(), 1);
}

#[test]
fn offline_a_key_without_device_proves_itself() {
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let keystore = offline(jwk);
    let key = keystore.find("default", None).unwrap().remove(0);
    // RFC 8037, appendix A.3.
    assert_eq!(key.device.as_deref(), Some("jwk:kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    assert_eq!(key.policy.endpoint, None);
}

/// Compile-time: whoever derives one of these for a type that holds a secret breaks the build.
mod secrets_do_not_wander {
    macro_rules! lacks {
        ($type:ty: $($trait:path),+) => {
            const _: fn() = || { $({
                // Ambiguous, and so an error, if the type has the trait.
                trait Probe<Which> { fn probe() {} }
                impl<T: ?Sized> Probe<()> for T {}
                #[allow(dead_code)]
                struct Has;
                impl<T: ?Sized + $trait> Probe<Has> for T {}
                let _ = <$type as Probe<_>>::probe;
            })+ };
        };
    }

    lacks!(crate::private_key::Scalar: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::private_key::Symmetric: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::private_key::X25519: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::private_key::RsaPrivate: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::private_key::Secrets: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::private_key::KeyMaterial: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::root::RootKey: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::rest::Dek: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::ops::Material: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
    lacks!(crate::Keystore: Clone, std::fmt::Debug, std::fmt::Display, PartialEq, serde::Serialize);
}

proptest! {
    #[test]
    fn no_file_makes_import_panic(file in proptest::collection::vec(any::<u8>(), 0..200)) {
        let keystore = Keystore::ephemeral(defaults()).unwrap();
        assert!(keystore.import(&file, &ImportOptions::default()).is_err());
    }

    #[test]
    fn no_altered_der_makes_import_panic(which in 0..3_usize, at in 0..2_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        use base64ct::{Base64, Encoding};
        let pem = [
            include_str!("import/tests/certificate.pem"),
            include_str!("import/tests/p384_pkcs8.pem"),
            include_str!("import/tests/rsa_pkcs8.pem"),
        ][which];
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let mut file = Base64::decode_vec(&body).unwrap();
        let at = at % file.len();
        if cut { file.truncate(at) } else { file[at] ^= byte }
        let taken = Keystore::ephemeral(defaults()).unwrap().import(&file, &ImportOptions::default()).is_ok();
        assert!(!taken || !cut, "cut to {at}");
    }

    #[test]
    fn no_altered_cose_key_makes_import_panic(at in 0..200_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let hex = "a5010202410120012158\
                   20e8ca83951df3a804e7ac1fabd85dbadec167f9987b287470b9b772d6ca30f959\
                   225820c25f3ef250c294fb047959cc3b42356ea2d5d718a3e1d23ac2c8b65358dfeaf7";
        let mut file = bytes(hex);
        let at = at % file.len();
        if cut { file.truncate(at) } else { file[at] ^= byte }
        let (keystore, options) = (Keystore::ephemeral(defaults()).unwrap(), ImportOptions::default());
        let taken = keystore.import(&file, &options).is_ok();
        // Beyond kid and labels that are not read, every byte is of the point.
        assert!(!taken || (!cut && (byte == 0 || at < 10)));
    }

    #[test]
    fn no_altered_key_set_makes_import_panic(at in 0..1_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut file = key_set().into_bytes();
        let at = at % file.len();
        if cut { file.truncate(at) } else { file[at] = byte }
        let keystore = Keystore::ephemeral(defaults()).unwrap();
        let before: BTreeSet<_> = keystore.keys("default").unwrap().into_iter().map(|key| key.id).collect();
        if keystore.import(&file, &ImportOptions::default()).is_err() {
            let after: BTreeSet<_> = keystore.keys("default").unwrap().into_iter().map(|key| key.id).collect();
            assert_eq!(before, after, "all or nothing");
        }
    }
}
