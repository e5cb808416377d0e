//! What a spreadsheet must not run, and what a CSV reader must get back.

use proptest::prelude::*;
use serde_json::json;

use super::{READING, head, line};

fn write(rows: &[serde_json::Value]) -> String {
    let Some(first) = rows.first() else { return head(READING) };
    let columns: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    rows.iter().fold(head(&columns), |text, row| text + &line(&columns, row))
}

#[test]
fn formulas_are_disarmed_and_numbers_are_not_touched() {
    let rows = [
        (json!("=1+1"), "'=1+1"),
        (json!("+1"), "'+1"),
        (json!("-1"), "'-1"),
        (json!("@SUM(A1)"), "'@SUM(A1)"),
        (json!("\tx"), "'\tx"),
        (json!("\rx"), "\"'\rx\""),
        (json!(-1.5), "-1.5"),
        (json!(-1), "-1"),
        (json!(true), "true"),
        (json!(null), ""),
        (json!("plain"), "plain"),
        (json!("a,\"b\""), "\"a,\"\"b\"\"\""),
        (json!(["late", "gap_before"]), "late gap_before"),
    ];
    for (value, cell) in rows {
        let text = write(&[json!({ "value": value })]);
        assert_eq!(text, format!("value\r\n{cell}\r\n"), "{value}");
    }
}

#[test]
fn no_rows_have_a_header_still() {
    assert_eq!(
        write(&[]),
        "time,device,name,value,unit,type,sum,path,path_proven,time_anchor,time_proven,update_time,unit_source,object,\
         resource,content_format,flags,sequence,message,index\r\n"
    );
}

/// Reads one CSV line as RFC 4180 has it.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            _ => cell.push(character),
        }
    }
    cells.push(cell);
    cells
}

proptest! {
    #[test]
    fn any_text_comes_back_and_none_is_armed(texts in proptest::collection::vec(any::<String>(), 1..4)) {
        let row = texts.iter().enumerate().map(|(at, text)| (format!("c{at}"), json!(text))).collect();
        let text = write(&[serde_json::Value::Object(row)]);
        let body = text.split_once("\r\n").unwrap().1.strip_suffix("\r\n").unwrap();
        let read = cells(body);
        prop_assert_eq!(read.len(), texts.len());
        for (cell, text) in read.iter().zip(&texts) {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(cell.strip_prefix('\'').filter(|rest| rest == text).unwrap_or(cell), text);
        }
    }
}
