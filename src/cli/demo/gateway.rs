//! The gateway as its users see it: over HTTP, with tokens.

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::cli::Failed;

/// What the relay says beside the bytes.
pub(super) struct Claims<'a> {
    pub(super) endpoint: &'a str,
    pub(super) path: &'a str,
}

/// What became of one delivered envelope.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: String,
    pub(super) reason: Option<String>,
    /// The message, where there is one.
    pub(super) message: Value,
}

/// A client of both sides: the relay's and the operator's.
pub(super) struct Client {
    client: legacy::Client<HttpConnector, Body>,
    url: String,
    relay_token: String,
    api_token: String,
}

impl Client {
    pub(super) fn new(url: String, relay_token: String, api_token: String) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { client, url, relay_token, api_token }
    }

    /// Hands one envelope over, as the relay, and waits for its verdict, as the operator.
    pub(super) async fn deliver(&self, sealed: &[u8], claims: &Claims<'_>) -> Result<Outcome, Failed> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/ingest/demo", self.url))
            .header("authorization", format!("Bearer {}", self.relay_token))
            .header("x-endpoint", claims.endpoint)
            .header("x-path", claims.path)
            .body(Body::from(sealed.to_vec()));
        let receipt = self.call(request, StatusCode::ACCEPTED).await?;
        let id = receipt["receipt"].as_str().unwrap_or_default();
        let state = self.get(&format!("/v1/receipts/{id}?wait=10s")).await?;
        let item = &state["items"][0];
        let message = match item["message"].as_str() {
            Some(id) => self.get(&format!("/v1/messages/{id}")).await?,
            None => Value::Null,
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Outcome { verdict: text(&item["verdict"]).unwrap_or_default(), reason: text(&item["reason"]), message })
    }

    /// Every message, oldest first.
    pub(super) async fn messages(&self) -> Result<Vec<Value>, Failed> {
        let (mut messages, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("/v1/messages?limit=1000{after}")).await?;
            messages.extend(page["items"].as_array().into_iter().flatten().cloned());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(messages),
            }
        }
    }

    /// The gateway's public keys, as a device's maker fetches them.
    pub(super) async fn public_keys(&self) -> Result<Vec<u8>, Failed> {
        self.bytes(self.authorized("/v1/keys/public"), StatusCode::OK).await
    }

    /// The counters, as a monitor reads them.
    pub(super) async fn metrics(&self) -> Result<String, Failed> {
        let bytes = self.bytes(self.authorized("/metrics"), StatusCode::OK).await?;
        String::from_utf8(bytes).map_err(|_| Failed::said("metrics are not text"))
    }

    async fn get(&self, path: &str) -> Result<Value, Failed> {
        self.call(self.authorized(path), StatusCode::OK).await
    }

    fn authorized(&self, path: &str) -> hyper::http::Result<Request<Body>> {
        let request = Request::builder().uri(format!("{}{path}", self.url));
        request.header("authorization", format!("Bearer {}", self.api_token)).body(Body::empty())
    }

    async fn call(&self, request: hyper::http::Result<Request<Body>>, due: StatusCode) -> Result<Value, Failed> {
        let bytes = self.bytes(request, due).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Failed::said(format!("the gateway's answer is no JSON: {error}")))
    }

    async fn bytes(&self, request: hyper::http::Result<Request<Body>>, due: StatusCode) -> Result<Vec<u8>, Failed> {
        let request = request.map_err(|error| Failed::said(error.to_string()))?;
        let path = request.uri().path().to_owned();
        let answer = self.client.request(request).await.map_err(|error| Failed::said(format!("{path}: {error}")))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| Failed::said(format!("{path}: {error}")))?;
        if status != due {
            return Err(Failed::said(format!("{path} answered {status} where {due} was due")));
        }
        Ok(body.to_bytes().to_vec())
    }
}
