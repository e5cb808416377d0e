//! The time series of readings, as JSON, as lines of JSON, or as CSV. May import what `api` may.

mod csv;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, accepts, json};
use crate::problem::{Code, Problem};
use crate::store::reader::{Aggregate, Page, ReadingFilter};

/// How readings are written: by name in the query, by media type in the answer. The first is the default.
const FORMS: [(&str, &str); 3] =
    [("json", "application/json"), ("ndjson", "application/x-ndjson"), ("csv", "text/csv")];

/// Carries the cursor of the next page where the body has no place for it.
const NEXT: HeaderName = HeaderName::from_static("x-next-cursor");

/// `GET /v1/readings`
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
    members: Members,
) -> Result<Response, Problem> {
    let accepted = accepts(&headers, &FORMS.map(|(_, media_type)| media_type));
    let (filter, page, form) = members.read(|members| {
        let named = members.parsed("format", "json, ndjson or csv", media_type)?;
        Ok((filter(members)?, members.page()?, named.unwrap_or(accepted)))
    })?;
    let page = desk.ask(move |reader| reader.readings(&caller.tenant, &filter, &page)).await?;
    Ok(match form {
        "text/csv" => with_cursor("text/csv; charset=utf-8", &page, csv::write(&rows(&page))),
        "application/x-ndjson" => with_cursor(form, &page, lines(&page)),
        _ => json(&page),
    })
}

fn media_type(name: &str) -> Option<&'static str> {
    FORMS.into_iter().find(|(form, _)| *form == name).map(|(_, media_type)| media_type)
}

fn filter(members: &mut Members) -> Result<ReadingFilter, Problem> {
    let filter = ReadingFilter {
        device: members.text("device"),
        name: members.text("name"),
        from: members.time("from")?,
        to: members.time("to")?,
        bucket_s: members.duration("bucket")?.map(|bucket| i64::try_from(bucket.as_secs()).unwrap_or(i64::MAX)),
        aggregate: members.parsed("aggregate", "min, max, mean, sum, count, first or last", Aggregate::from_name)?,
    };
    match (filter.bucket_s, filter.aggregate) {
        (Some(..=0), _) => Err(Problem::with_detail(Code::BadRequest, "a bucket is at least 1s long")),
        (Some(_), None) | (None, Some(_)) => {
            Err(Problem::with_detail(Code::BadRequest, "bucket and aggregate go together"))
        }
        (Some(_), Some(_)) | (None, None) => Ok(filter),
    }
}

fn rows<T: Serialize>(page: &Page<T>) -> Vec<serde_json::Value> {
    page.items.iter().map(|item| serde_json::to_value(item).unwrap_or_default()).collect()
}

fn lines<T: Serialize>(page: &Page<T>) -> String {
    rows(page).iter().map(|row| format!("{row}\n")).collect()
}

fn with_cursor<T>(media_type: &'static str, page: &Page<T>, body: String) -> Response {
    let mut response = ([(header::CONTENT_TYPE, media_type)], body).into_response();
    let next = page.next.as_ref().and_then(|cursor| HeaderValue::from_str(&cursor.to_string()).ok());
    if let Some(next) = next {
        response.headers_mut().insert(NEXT, next);
    }
    response
}
