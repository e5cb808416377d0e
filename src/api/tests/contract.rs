//! The router and `openapi.yaml`, equal both ways.

use std::collections::BTreeSet;

use keystore::Scope;
use serde_json::Value;

use crate::api::gate::Needs;
use crate::api::table;
use crate::api::tests::house::house;
use crate::problem::Code;

pub(super) fn document() -> Value {
    serde_saphyr::from_str(include_str!("../../../openapi.yaml")).unwrap()
}

/// Method, path, and what stands under `security`.
fn documented(document: &Value) -> BTreeSet<(String, String, String)> {
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            operations.insert((method.to_uppercase(), path.clone(), operation["security"].to_string()));
        }
    }
    operations
}

fn security(needs: Needs) -> String {
    match needs {
        Needs::AnyToken => r#"[{"api_token":[]}]"#.to_owned(),
        Needs::Nothing => "[]".to_owned(),
        Needs::Scope(scope) => format!(r#"[{{"api_token":["{}"]}}]"#, scope.name()),
    }
}

#[test]
fn every_route_is_documented_with_its_scope_and_no_other() {
    let routes =
        table().into_iter().map(|route| (route.method.to_string(), route.path.to_owned(), security(route.needs)));
    let relay = [("/ingest/{relay}", r#"[{"relay_token":[]},{"relay_basic":[]}]"#), ("/ingest/{relay}/{token}", "[]")];
    let ingest = relay.into_iter().flat_map(|(path, security)| {
        ["POST", "PUT"].map(|method| (method.to_owned(), path.to_owned(), security.to_owned()))
    });
    assert_eq!(routes.chain(ingest).collect::<BTreeSet<_>>(), documented(&document()));
}

#[test]
fn every_code_is_documented() {
    let codes = document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].clone();
    let documented: BTreeSet<&str> = codes.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(Code::ALL.iter().map(|code| code.as_str()).collect::<BTreeSet<_>>(), documented);
}

/// Follows `#/…`.
pub(super) fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"].as_str().and_then(|reference| document.pointer(&reference[1..])).unwrap_or(value)
}

fn query_members(document: &Value, path: &str, method: &str) -> Vec<String> {
    let parameters = document["paths"][path][method]["parameters"].as_array().cloned().unwrap_or_default();
    let parameters = parameters.iter().map(|parameter| resolve(document, parameter));
    parameters.filter(|one| one["in"] == "query").map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

/// A documented member is known (its value here is wrong, or finds nothing); any other is refused by name.
#[tokio::test(flavor = "multi_thread")]
async fn query_members_are_known_as_documented() {
    let (document, mut house) = (document(), house().await);
    house.closing = None;
    let token = house.token(Scope::ALL);
    for route in table().into_iter().filter(|route| route.method == "GET" && route.path.starts_with("/v1/")) {
        let path = route.path.replace("{id}", &house.message.to_string()).replace("{name}", "acme");
        for member in query_members(&document, route.path, "get") {
            let answer = house.get(&format!("{path}?{member}=%20"), &token).await;
            assert!(!answer.text().contains("unknown query member"), "{} {member}", route.path);
        }
        let answer = house.get(&format!("{path}?surprise=1"), &token).await;
        assert_eq!(answer.status, 400, "{}", route.path);
        assert!(answer.text().contains(r#"unknown query member \"surprise\""#), "{}: {}", route.path, answer.text());
    }
}

/// The members that a schema requires are all there, and those that it does not know are not.
pub(super) fn conforms(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = resolve(document, schema);
    let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object()) else {
        return;
    };
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(members.contains_key(required), "{at} lacks {required}: {value}");
    }
    for (name, member) in members {
        let property = properties.get(name).unwrap_or_else(|| panic!("{at}.{name} is not documented"));
        let property = resolve(document, property);
        conforms(document, property, member, &format!("{at}.{name}"));
        for item in member.as_array().into_iter().flatten() {
            conforms(document, &property["items"], item, &format!("{at}.{name}[]"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_members_of_their_schemas() {
    let (document, house) = (document(), house().await);
    let token = house.token(Scope::ALL);
    super::deliver::subscribe(&house, &token, "message.refused").await;
    house.take(b"garbage").await;
    house.take(&hex::decode(super::house::NO_KEY).unwrap()).await;
    let rows = [
        ("/v1/messages?content=true", "Message"),
        ("/v1/readings", "Reading"),
        ("/v1/readings?bucket=1h&aggregate=mean", "Bucket"),
        ("/v1/devices", "Device"),
        ("/v1/devices/d1/gaps", "Gap"),
        ("/v1/refusals?sealed=true", "Refusal"),
        ("/v1/held?sealed=true", "Held"),
        ("/v1/keys", "Key"),
        ("/v1/tokens", "Token"),
        ("/v1/subscriptions", "Subscription"),
    ];
    for (path, schema) in rows {
        let list = house.get(path, &token).await.json();
        let items = list["items"].as_array().unwrap_or_else(|| panic!("{path}: {list}"));
        assert!(!items.is_empty() && list.as_object().unwrap().len() == 2, "{path}: {list}");
        for item in items {
            conforms(&document, &document["components"]["schemas"][schema], item, schema);
        }
    }
    let receipt = house.get(&format!("/v1/receipts/{}", house.receipt), &token).await.json();
    conforms(&document, &document["components"]["schemas"]["ReceiptState"], &receipt, "ReceiptState");
    let problem = house.get("/v1/nothing", &token).await.json();
    conforms(&document, &document["components"]["schemas"]["Problem"], &problem, "Problem");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served() {
    let answer = house().await.get("/openapi.yaml", "").await;
    assert_eq!((answer.status, answer.headers["content-type"].as_bytes()), (200, b"application/yaml".as_slice()));
    assert!(answer.text().starts_with("openapi: 3.1.0"));
}
