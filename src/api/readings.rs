//! The time series of readings, as JSON, as lines of JSON, or as CSV. May import what `api` may.

pub mod csv;

use std::future::ready;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::{once, try_unfold};

use crate::api::gate::Caller;
use crate::api::members::Members;
use crate::api::{Desk, accepts, json};
use crate::problem::{Code, Problem};
use crate::store::glob::Glob;
use crate::store::reader::{Aggregate, Page, PageRequest, ReadingFilter, Series};

/// How readings are written: by name in the query, by media type in the answer. The first is the default.
const FORMS: [(&str, &str); 3] =
    [("json", "application/json"), ("ndjson", "application/x-ndjson"), ("csv", "text/csv")];

/// Carries the cursor of the next page where the body has no place for it.
const NEXT: HeaderName = HeaderName::from_static("x-next-cursor");

/// Readings of one page of an answer without end: what it holds in memory.
const CHUNK: usize = 1000;

/// `GET /v1/readings`: a page; or, as lines or CSV and without a `limit`, all of them, however many.
pub(in crate::api) async fn list(
    State(desk): State<Desk>,
    caller: Caller,
    headers: HeaderMap,
    members: Members,
) -> Result<Response, Problem> {
    let accepted = accepts(&headers, &FORMS.map(|(_, media_type)| media_type));
    let (filter, page, form) = members.read(|members| {
        let named = members.parsed("format", "json, ndjson or csv", media_type)?.unwrap_or(accepted);
        let form = Form { media_type: named, is_whole: named != FORMS[0].1 && !members.has("limit") };
        Ok((filter(members)?, members.page()?, form))
    })?;
    let page = if form.is_whole { PageRequest { limit: CHUNK, ..page } } else { page };
    let question = Question { desk, tenant: caller.tenant, filter: Arc::new(filter) };
    let first = question.ask(page).await?;
    Ok(match form.media_type {
        "application/json" => json(&first),
        _ if form.is_whole => all(question, &first, page, form),
        _ => with_cursor(form, &question.filter, &first),
    })
}

/// How an answer is written.
#[derive(Clone, Copy)]
struct Form {
    media_type: &'static str,
    is_whole: bool,
}

impl Form {
    fn head(self, filter: &ReadingFilter) -> String {
        if self.media_type == "text/csv" { csv::head(columns(filter)) } else { String::new() }
    }

    fn rows(self, filter: &ReadingFilter, page: &Page<Series>) -> String {
        let rows = page.items.iter().map(|item| serde_json::to_value(item).unwrap_or_default());
        if self.media_type == "text/csv" {
            rows.map(|row| csv::line(columns(filter), &row)).collect()
        } else {
            rows.map(|row| format!("{row}\n")).collect()
        }
    }

    fn header(self) -> [(HeaderName, &'static str); 1] {
        [(
            header::CONTENT_TYPE,
            if self.media_type == "text/csv" { "text/csv; charset=utf-8" } else { self.media_type },
        )]
    }
}

fn columns(filter: &ReadingFilter) -> &'static [&'static str] {
    if filter.bucket_s.is_some() { csv::BUCKET } else { csv::READING }
}

/// What is asked for, page after page.
#[derive(Clone)]
struct Question {
    desk: Desk,
    tenant: Arc<str>,
    filter: Arc<ReadingFilter>,
}

impl Question {
    async fn ask(&self, page: PageRequest) -> Result<Page<Series>, Problem> {
        let (tenant, filter) = (Arc::clone(&self.tenant), Arc::clone(&self.filter));
        self.desk.ask(move |reader| reader.readings(&tenant, &filter, &page)).await
    }
}

/// Everything, a page at a time: the next is read when the last is on its way. What fails on the way ends the
/// connection, so that nobody takes a part for the whole.
fn all(question: Question, first: &Page<Series>, request: PageRequest, form: Form) -> Response {
    let head = form.head(&question.filter) + &form.rows(&question.filter, first);
    let next = move |page: &Page<Series>| page.next.map(|after| PageRequest { after: Some(after), ..request });
    let rest = try_unfold(next(first), move |page| {
        let question = question.clone();
        async move {
            let Some(page) = page else { return Ok(None) };
            let found = question.ask(page).await.map_err(|_| io::Error::other("the store cannot be read"))?;
            Ok::<_, io::Error>(Some((form.rows(&question.filter, &found), next(&found))))
        }
    });
    let body = Body::from_stream(once(ready(Ok(head))).chain(rest));
    (form.header(), body).into_response()
}

fn media_type(name: &str) -> Option<&'static str> {
    FORMS.into_iter().find(|(form, _)| *form == name).map(|(_, media_type)| media_type)
}

fn filter(members: &mut Members) -> Result<ReadingFilter, Problem> {
    let filter = ReadingFilter {
        device: members.text("device"),
        name: members.parsed("name", "a pattern of 1 to 256 bytes", Glob::parse)?,
        from: members.time("from")?,
        to: members.time("to")?,
        bucket_s: members.duration("bucket")?.map(|bucket| i64::try_from(bucket.as_secs()).unwrap_or(i64::MAX)),
        aggregate: members.parsed("aggregate", "min, max, mean, sum, count, first or last", Aggregate::from_name)?,
    };
    match (filter.bucket_s, filter.aggregate) {
        (Some(..=0), _) => Err(Problem::with_detail(Code::BadRequest, "a bucket is at least 1s long")),
        (None, Some(_)) => Err(Problem::with_detail(Code::BadRequest, "an aggregate is of a bucket")),
        (Some(_), _) | (None, None) => Ok(filter),
    }
}

/// A page in a form that has no place for the cursor of the next.
fn with_cursor(form: Form, filter: &ReadingFilter, page: &Page<Series>) -> Response {
    let mut response = (form.header(), form.head(filter) + &form.rows(filter, page)).into_response();
    let next = page.next.as_ref().and_then(|cursor| HeaderValue::from_str(&cursor.to_string()).ok());
    if let Some(next) = next {
        response.headers_mut().insert(NEXT, next);
    }
    response
}
