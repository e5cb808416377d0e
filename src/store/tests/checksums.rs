//! Columns that are not what was written: an answer that shows one fails, and names the row.

use rusqlite::Connection;
use rusqlite::types::Value as Column;

use super::house::{House, NOW, facts, held, numbered, opened, reading, refused, with_payload};
use crate::item::{Reason, Verdict};
use crate::payload::{Payload, Value};
use crate::store::failure::Failure;
use crate::store::reader::{Aggregate, PageRequest, ReadingFilter};

/// Every kind of row that an answer is made of.
fn house() -> House {
    let house = House::new();
    let mut measured = reading("/3303/0/5700", Value::Number(21.5), NOW);
    (measured.sum, measured.update_time) = (Some(-0.0), Some(4.0));
    let odd = reading("odd", Value::Number(-0.0), NOW);
    let payload = Payload { readings: vec![measured, odd], error: None };
    house.bring(opened(numbered(1, b"")));
    house.bring(with_payload(numbered(5, b""), payload));
    house.bring(refused(Reason::Malformed));
    house.bring(held(b"kid"));
    house
}

/// All answers, one after the other; how many rows they show, and sealed bytes.
fn ask(house: &House) -> Result<usize, Failure> {
    let (reader, page) = (&house.store().reader, PageRequest::default());
    let mut rows = 0;
    for content in [false, true] {
        rows += reader.messages("default", &Default::default(), &page, content)?.items.len();
        let refusals = reader.refusals("default", &Default::default(), &page, content)?.items;
        rows += refusals.len() + refusals.iter().filter(|refusal| refusal.sealed.is_some()).count();
        rows += reader.held("default", &Default::default(), &page, content)?.items.len();
    }
    rows += reader.readings("default", &ReadingFilter::default(), &page)?.items.len();
    rows += reader.devices("default", &page)?.items.iter().map(|device| device.sequences.len()).sum::<usize>();
    Ok(rows)
}

/// Name and type of each column. The number of a counter's row is nothing that it says.
fn columns(sql: &Connection, table: &str) -> Vec<(String, String)> {
    let mut columns =
        sql.prepare("SELECT name, type FROM pragma_table_info(?1) WHERE (?1, name) <> ('sequence', 'id')").unwrap();
    columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Something else of the same type.
fn other(value: &Column, kind: &str) -> Column {
    match (value, kind) {
        (Column::Null, "TEXT") => Column::Text(String::new()),
        (Column::Null, "BLOB") => Column::Blob(Vec::new()),
        (Column::Null, "REAL") => Column::Real(0.5),
        (Column::Null, _) => Column::Integer(0),
        (Column::Integer(number), _) => Column::Integer(number ^ 1 << 30),
        (Column::Real(number), _) => Column::Real(-number),
        (Column::Text(text), _) => Column::Text(format!("{text} ")),
        (Column::Blob(bytes), _) => Column::Blob([bytes.as_slice(), &[0]].concat()),
    }
}

/// Alters the first row of a table, column by column, and asks: an error that names its kind, or fewer rows.
fn alter_each_column(house: &House, table: &str) -> Vec<String> {
    let sql = Connection::open(house.data.path().join("store.db")).unwrap();
    let undamaged = ask(house).unwrap();
    let mut hidden = Vec::new();
    for (column, kind) in columns(&sql, table) {
        let first = format!("SELECT {column} FROM {table} ORDER BY 1 LIMIT 1");
        let value: Column = sql.query_row(&first, [], |row| row.get(0)).unwrap();
        let alter = format!("UPDATE {table} SET {column} = ?1 WHERE {column} IS ?2");
        let altered = other(&value, &kind);
        assert_ne!(sql.execute(&alter, [&altered, &value]).unwrap(), 0, "{table}.{column}");
        match ask(house) {
            Err(Failure::Damaged(words)) if words.starts_with("readings of message") => hidden.push(column.clone()),
            Err(Failure::Damaged(words)) => {
                assert!(words.starts_with(&format!("not what was written: {table} ")), "{table}.{column}: {words}");
            }
            Err(failure) => panic!("{table}.{column}: {failure}"),
            Ok(rows) if rows < undamaged => hidden.push(column.clone()),
            Ok(_) => panic!("{table}.{column} is shown as it is not"),
        }
        sql.execute(&alter, [&value, &altered]).unwrap();
        assert_eq!(ask(house).unwrap(), undamaged, "{table}.{column}");
    }
    hidden
}

#[test]
fn no_altered_column_is_shown() {
    let house = house();
    assert_eq!(alter_each_column(&house, "message"), ["tenant"]);
    assert_eq!(alter_each_column(&house, "reading"), ["message"], "a message that there is not");
    assert_eq!(alter_each_column(&house, "refusal"), ["tenant"]);
    assert_eq!(alter_each_column(&house, "held"), ["tenant"]);
    assert_eq!(alter_each_column(&house, "sequence"), ["device"]);
}

#[test]
fn a_message_is_of_the_device_that_sealed_it() {
    let house = house();
    let sql = Connection::open(house.data.path().join("store.db")).unwrap();
    sql.execute("UPDATE device SET name = 'urn:dev:3'", []).unwrap();
    assert!(matches!(ask(&house), Err(Failure::Damaged(_))));
}

#[test]
fn numbers_that_are_summed_up_are_those_that_were_sealed() {
    let house = house();
    let (bucket_s, aggregate) = (Some(60), Some(Aggregate::Sum));
    let filter = ReadingFilter { bucket_s, aggregate, ..ReadingFilter::default() };
    let ask = || house.store().reader.readings("default", &filter, &PageRequest::default());
    let sql = Connection::open(house.data.path().join("store.db")).unwrap();
    assert_eq!(ask().unwrap().items.len(), 2);
    for altered in
        ["reading SET value = 22.5 WHERE place = 0", "reading SET time = 0 WHERE place = 0", "message SET flags = 8"]
    {
        sql.execute(&format!("UPDATE {altered}"), []).unwrap();
        assert!(matches!(ask(), Err(Failure::Damaged(_))), "{altered}");
    }
}

#[test]
fn sealed_bytes_that_are_shown_are_those_that_were_taken() {
    let house = House::new();
    house.bring(refused(Reason::Malformed));
    assert_eq!(alter_each_column(&house, "item"), ["id"]);
}

#[test]
fn what_a_damaged_counter_cannot_tell_from_a_replay_is_held() {
    let mut house = house();
    let sql = Connection::open(house.data.path().join("store.db")).unwrap();
    sql.execute("UPDATE sequence SET expected = 1", []).unwrap();
    house.restart();
    let outcome = house.bring(opened(numbered(6, b"")));
    assert_eq!((outcome.verdict, outcome.reason), (Verdict::Held, Some(Reason::InternalError)));
    assert_eq!(house.bring(opened(facts(9))).verdict, Verdict::Opened, "nothing behind it waits");
    let counters = house.store().reader.counters().unwrap();
    assert_eq!((counters.conservation_error, counters.total.held), (0, 2));
    let page = house.store().reader.held("default", &Default::default(), &PageRequest::default(), true).unwrap();
    assert_eq!(page.items[1].item.detail.as_deref(), Some("not what was written: sequence k1"));
}
