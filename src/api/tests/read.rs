//! What applications read.

use keystore::Scope;
use serde_json::json;

use crate::api::tests::house::house;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_tells_proof_and_claims_apart() {
    let house = house().await;
    let token = house.token(&[Scope::Read]);
    let message = house.get(&format!("/v1/messages/{}", house.message), &token).await.json();
    assert_eq!(message["proof"]["sender"], "d1");
    assert_eq!(message["claims"]["relay_endpoint"], "ep-1");
    assert_eq!(message["gap_before"], json!({ "from": 3, "to": 6 }));
    assert_eq!(message["content_b64"], "gaA=");
    let list = house.get("/v1/messages", &token).await.json();
    assert_eq!(list["items"][0]["id"], message["id"]);
    assert!(list["items"][0].get("content_b64").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_an_attachment_of_its_own_type() {
    let house = house().await;
    let token = house.token(&[Scope::Read]);
    let answer = house.get(&format!("/v1/messages/{}/content", house.message), &token).await;
    assert_eq!(answer.bytes, b"\x81\xa0".as_slice());
    let headers = ["content-type", "content-disposition", "x-content-type-options", "cache-control"];
    let values = headers.map(|name| answer.headers[name].to_str().unwrap().to_owned());
    assert_eq!(values, ["application/senml+cbor", "attachment", "nosniff", "no-store"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_pages_hold() {
    let house = house().await;
    let token = house.token(&[Scope::Read]);
    let rows = [
        ("/v1/messages?device=d1", 1),
        ("/v1/messages?device=d2", 0),
        ("/v1/messages?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z", 0),
        ("/v1/readings?name=/3303/0/5700", 1),
        ("/v1/readings?from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:01Z", 2),
        ("/v1/readings?to=2026-01-01T00:00:00Z", 0),
        ("/v1/readings?order=desc&limit=1", 1),
    ];
    for (path, count) in rows {
        let list = house.get(path, &token).await.json();
        assert_eq!(list["items"].as_array().map(Vec::len), Some(count), "{path}: {list}");
    }
    let first = house.get("/v1/readings?limit=1", &token).await.json();
    let cursor = first["next"].as_str().unwrap();
    let second = house.get(&format!("/v1/readings?limit=1&after={cursor}"), &token).await.json();
    assert_eq!((&second["items"][0]["index"], &second["next"]), (&json!(1), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_queries_are_400_and_say_where() {
    let house = house().await;
    let token = house.token(&[Scope::Read, Scope::Admin]);
    let rows = [
        ("/v1/messages?limit=0", "limit"),
        ("/v1/messages?limit=1001", "limit"),
        ("/v1/messages?limit=-1", "limit"),
        ("/v1/messages?limit=1&limit=2", "limit"),
        ("/v1/messages?after=1", "after"),
        ("/v1/messages?after=1ffffffffffffffff0", "after"),
        ("/v1/messages?order=up", "order"),
        ("/v1/messages?since=yesterday", "since"),
        ("/v1/messages?content=yes", "content"),
        ("/v1/messages?__proto__=1", "__proto__"),
        ("/v1/readings?format=xml", "format"),
        ("/v1/readings?name=", "name"),
        ("/v1/readings?aggregate=max", "bucket"),
        ("/v1/readings?bucket=0s&aggregate=max", "bucket"),
        ("/v1/readings?bucket=5&aggregate=max", "bucket"),
        ("/v1/refusals?reason=bad", "reason"),
    ];
    for (path, word) in rows {
        let answer = house.get(path, &token).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{path}");
        assert!(
            answer.json()["detail"].as_str().is_some_and(|detail| detail.contains(word)),
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_come_as_json_lines_or_csv() {
    let house = house().await;
    let token = house.token(&[Scope::Read]);
    let lines = house.get("/v1/readings?format=ndjson&limit=1", &token).await;
    assert_eq!(lines.headers["content-type"], "application/x-ndjson");
    assert!(lines.headers.contains_key("x-next-cursor"));
    assert_eq!(lines.text().lines().count(), 1);
    assert_eq!(lines.json()["value"], json!(-21.5));
    let csv = house.get("/v1/readings?format=csv", &token).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.text().starts_with("time,device,name,value,unit,type,"), "{}", csv.text());
    assert!(csv.text().contains(",d1,'=HYPERLINK(),-21.5,Cel,number,"), "{}", csv.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_has_its_sequences_and_its_gaps() {
    let house = house().await;
    house.keystore.device_add("default", "quiet").unwrap();
    let token = house.token(&[Scope::Read]);
    let device = house.get("/v1/devices/d1", &token).await.json();
    assert_eq!(device["sequences"][0]["next"], 8);
    let gaps = house.get("/v1/devices/d1/gaps", &token).await.json();
    assert_eq!((&gaps["items"][0]["from"], &gaps["items"][0]["to"]), (&json!(3), &json!(6)));
    let quiet = house.get("/v1/devices/quiet", &token).await.json();
    assert_eq!((&quiet["first_seen"], &quiet["counts"]["opened"]), (&json!(null), &json!(0)));
    assert_eq!(house.get("/v1/devices/nobody", &token).await.status, 404);
}
