//! A content is known from the moment it is entered, wherever it stands.

use rusqlite::Connection;

use super::Recent;
use crate::store::sqlite::migration::STEPS;

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    crate::store::checksum::install(&connection).unwrap();
    STEPS.iter().for_each(|step| connection.execute_batch(step).unwrap());
    connection
}

fn first(recent: &Recent, connection: &Connection, identity: u8) -> Option<i64> {
    let mut sorted = connection.prepare("SELECT message FROM identity WHERE identity = ?1").unwrap();
    recent.first_of(&mut sorted, &[identity; 16]).unwrap()
}

#[test]
fn what_is_rolled_back_is_forgotten_and_what_is_committed_is_not() {
    let (connection, mut recent) = (connection(), Recent::default());
    recent.enter([1; 16], 7, None);
    recent.settle();
    recent.enter([2; 16], 8, None);
    assert_eq!((first(&recent, &connection, 1), first(&recent, &connection, 2)), (Some(7), Some(8)));
    recent.revert();
    assert_eq!((first(&recent, &connection, 1), first(&recent, &connection, 2)), (Some(7), None));
    assert_eq!(recent.len(), 1);
}

#[test]
fn what_is_sorted_in_is_found_on_disk() {
    let (connection, mut recent) = (connection(), Recent::default());
    for (identity, message) in [(9, 1), (3, 2), (6, 3)] {
        recent.enter([identity; 16], message, Some(i64::from(identity % 2)));
    }
    recent.settle();
    // Twice, as after a COMMIT of which it is not known whether it reached the disk.
    recent.write(&connection).unwrap();
    recent.write(&connection).unwrap();
    recent.clear();
    assert_eq!([9, 3, 6, 1].map(|identity| first(&recent, &connection, identity)), [Some(1), Some(2), Some(3), None]);
    let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(one("SELECT indexed FROM progress"), 3);
    assert_eq!(one("SELECT count(*) FROM message_by_device WHERE device = 1"), 2);
}
