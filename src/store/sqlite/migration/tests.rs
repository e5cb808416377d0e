//! Forward, once, with a copy of what was.

use rusqlite::Connection;
use tempfile::TempDir;

use super::{STEPS, bring_forward, migrate, prepare, version};
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
    assert_eq!((version(&now).unwrap(), count(&now)), (3, 1));
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
    let newer = |result| matches!(result, Err(Failure::Schema { found: 3, known: 2, .. }));
    assert!(newer(bring_forward(data.path())));
    assert!(newer(prepare(data.path())));
    assert_eq!(version(&open(&data)).unwrap(), 3);
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
