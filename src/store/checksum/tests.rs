//! No two rows have the same sum, and an altered one is named.

use rusqlite::Connection;

use super::install;
use crate::store::failure::Failure;

fn sum(row: &str) -> i64 {
    let connection = Connection::open_in_memory().unwrap();
    install(&connection).unwrap();
    connection.query_row(&format!("SELECT checksum({row})"), [], |row| row.get(0)).unwrap()
}

#[test]
fn rows_that_read_alike_have_other_sums() {
    let rows = ["", "''", "'', ''", "NULL", "x''", "'ab', 'c'", "'a', 'bc'", "'abc'", "1", "1.0", "'1'", "x'31'", "-1"];
    for (place, row) in rows.iter().enumerate() {
        assert!(rows[..place].iter().all(|other| sum(other) != sum(row)), "{row}");
    }
}

#[test]
fn a_sum_is_the_beginning_of_sha_256() {
    // Type 3, eight bytes of length, the text: 0300000000000000057061706572.
    assert_eq!(sum("'paper'").to_be_bytes(), hex::decode("2cd052e3a8cb2508").unwrap()[..]);
}

#[test]
fn an_altered_row_is_named_and_its_content_is_not() {
    let connection = Connection::open_in_memory().unwrap();
    install(&connection).unwrap();
    let ask = |row: &str| connection.query_row(&format!("SELECT intact({row})"), [], |row| row.get::<_, bool>(0));
    assert!(ask("checksum('message', 7, 'secret'), 'message', 7, 'secret'").unwrap());
    for altered in ["checksum('message', 7, 'secret'), 'message', 7, 'secreu'", "NULL, 'message', 7, 'secret'"] {
        let failure = Failure::from(ask(altered).unwrap_err());
        assert!(matches!(failure, Failure::Damaged(_)), "{failure}");
        assert_eq!(failure.to_string(), "the store is damaged: not what was written: message 7");
    }
}
