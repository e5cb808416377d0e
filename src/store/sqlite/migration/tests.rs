//! Forward, once, with a copy of what was.

use rusqlite::Connection;
use tempfile::TempDir;

use super::{STEPS, bring_forward, migrate, prepare, version};
use crate::store::checksum::SEQUENCE;
use crate::store::failure::Failure;
use crate::store::sqlite::{connection, lock};

const FUTURE: &str = "ALTER TABLE relay ADD COLUMN colour TEXT; CREATE TABLE swatch (id INTEGER PRIMARY KEY) STRICT;";

/// A store of version 1.
fn old() -> TempDir {
    let data = TempDir::new().unwrap();
    migrate(&connection::file(data.path()), &STEPS[..1]).unwrap();
    let connection = open(&data);
    connection.execute("INSERT INTO relay VALUES ('a', 't', 'raw', '{}', x'00', 0)", []).unwrap();
    data
}

fn open(data: &TempDir) -> Connection {
    connection::for_writing(&connection::file(data.path())).unwrap()
}

/// This program's, and one of a later one.
fn steps_to_come() -> Vec<&'static str> {
    STEPS.iter().copied().chain([FUTURE]).collect()
}

#[test]
fn version_1_becomes_the_newest_and_its_copy_stays() {
    let data = old();
    migrate(&connection::file(data.path()), &steps_to_come()).unwrap();
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM relay WHERE name = 'a'", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let now = open(&data);
    assert_eq!((version(&now).unwrap(), count(&now)), (5, 1));
    now.execute("INSERT INTO swatch VALUES (1)", []).unwrap();
    let backup = Connection::open(data.path().join("store.v1.backup")).unwrap();
    assert_eq!((version(&backup).unwrap(), count(&backup)), (1, 1));
    assert!(!data.path().join("store.v1.partial").exists());
}

#[test]
fn a_second_time_changes_nothing() {
    let data = old();
    let file = connection::file(data.path());
    migrate(&file, &steps_to_come()).unwrap();
    std::fs::remove_file(data.path().join("store.v1.backup")).unwrap();
    migrate(&file, &steps_to_come()).unwrap();
    assert!(!data.path().join("store.v1.backup").exists());
}

#[test]
fn a_step_that_fails_leaves_the_old_version_whole() {
    let data = old();
    let broken: Vec<&str> =
        STEPS.iter().copied().chain(["CREATE TABLE half (id); CREATE TABLE progress (id);"]).collect();
    assert!(migrate(&connection::file(data.path()), &broken).is_err());
    let now = open(&data);
    assert_eq!(version(&now).unwrap(), 1);
    assert!(now.prepare("SELECT * FROM half").is_err());
    migrate(&connection::file(data.path()), &steps_to_come()).unwrap();
}

#[test]
fn what_a_crash_left_of_a_copy_is_no_obstacle() {
    let data = old();
    std::fs::write(data.path().join("store.v1.partial"), b"half a copy").unwrap();
    migrate(&connection::file(data.path()), &steps_to_come()).unwrap();
    assert!(data.path().join("store.v1.backup").exists());
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let data = old();
    migrate(&connection::file(data.path()), &steps_to_come()).unwrap();
    let newer = |result| matches!(result, Err(Failure::Schema { found: 5, known: 4, .. }));
    assert!(newer(bring_forward(data.path())));
    assert!(newer(prepare(data.path())));
    assert_eq!(version(&open(&data)).unwrap(), 5);
}

/// Two messages of version 2, of which the index by device reaches one, and the counter of both.
const SCHEMA_2: &str = "
    INSERT INTO message SELECT id, unhex(printf('%032x', id)), 't', 5, 0, 0, id, NULL, NULL, NULL, NULL, 'cose', 's', NULL,
        NULL, 'r', NULL, NULL, NULL, NULL, NULL, NULL, 0, '{}', '[]', x'', 0, 0 FROM (SELECT 7 AS id UNION SELECT 8);
    INSERT INTO identity SELECT identity, id FROM message;
    INSERT INTO message_by_device VALUES (5, 7);
    UPDATE progress SET indexed = 7;
    INSERT INTO sequence VALUES ('t', 'k', 1, x'', 5, 1, NULL, x'0701',
        checksum('sequence', 'k', 't', 1, x'', 5, 1, NULL, x'0701'));";

#[test]
fn what_version_2_knew_of_replays_is_still_known() {
    let data = TempDir::new().unwrap();
    migrate(&connection::file(data.path()), &STEPS[..2]).unwrap();
    open(&data).execute_batch(SCHEMA_2).unwrap();
    bring_forward(data.path()).unwrap();
    let now = open(&data);
    let one = |sql: &str| now.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(one("SELECT indexed FROM progress"), 8, "identities of all messages are in their table");
    assert_eq!(one("SELECT count(*) FROM message_by_device WHERE device = 5"), 2);
    assert_eq!(one("SELECT count(*) FROM identity"), 2);
    let counters = format!("SELECT {SEQUENCE} FROM sequence WHERE device = 5 AND key = 'k' AND ranges = x'0701'");
    assert_eq!(one(&counters), 1, "its checksum is the same");
}

#[test]
fn administration_migrates_only_where_no_server_runs() {
    let data = TempDir::new().unwrap();
    prepare(data.path()).unwrap();
    prepare(data.path()).unwrap();
    let _server = lock::exclusive(data.path()).unwrap();
    prepare(data.path()).unwrap();
}

#[test]
fn what_is_no_database_is_named_so() {
    let data = TempDir::new().unwrap();
    std::fs::write(connection::file(data.path()), b"this is not a database, but it is long enough to be looked at")
        .unwrap();
    assert!(matches!(bring_forward(data.path()), Err(Failure::Damaged(_))));
}
