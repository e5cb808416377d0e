//! The page: what it is, the operations by their tags, the schemas. Imports serde_json alone.

use std::fmt::Write;

use serde_json::Value;

use super::example::Example;
use super::schema::{code, escaped, kind, line, list, members, prose, resolve, text};

/// The whole page.
pub(super) fn render(document: &Value) -> String {
    let (title, version) = (escaped(text(&document["info"]["title"])), escaped(text(&document["info"]["version"])));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\
         <body><nav aria-label=\"Operations\"><h1><a href=\"#top\">{title}</a> <small>{version}</small></h1>{}\
         <h2><a href=\"#schemas\">Schemas</a></h2></nav>\
         <main id=\"top\">{}{}<section id=\"schemas\"><h2>Schemas</h2>{}</section></main></body></html>\n",
        tags(document).map(|tag| contents(document, tag)).collect::<String>(),
        intro(document),
        tags(document).map(|tag| section(document, tag)).collect::<String>(),
        schemas(document),
    )
}

fn tags(document: &Value) -> impl Iterator<Item = &Value> {
    list(&document["tags"])
}

fn intro(document: &Value) -> String {
    format!(
        "{}<p>The examples take <code>$GATEWAY</code>, such as <code>http://127.0.0.1:8080</code>, and a token from \
         <code>paperknife tokens add</code> or <code>paperknife relays add</code>. The document itself is \
         <a href=\"/openapi.yaml\">openapi.yaml</a>.</p>",
        prose(text(&document["info"]["description"]))
    )
}

/// One method of one path.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    item: &'a Value,
    it: &'a Value,
}

fn operations<'a>(document: &'a Value, tag: &'a Value) -> impl Iterator<Item = Operation<'a>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten().filter(|(name, _)| *name != "parameters");
        methods.map(move |(method, it)| Operation { path, method, item, it })
    });
    all.filter(|operation| list(&operation.it["tags"]).any(|one| *one == tag["name"]))
}

fn contents(document: &Value, tag: &Value) -> String {
    let link = |operation: Operation<'_>| {
        let Operation { path, method, it, .. } = operation;
        format!(
            "<li><a href=\"#{}\"><b class=\"{method}\">{method}</b> {}</a></li>",
            text(&it["operationId"]),
            escaped(path)
        )
    };
    let links = operations(document, tag).map(link).collect::<String>();
    format!("<h2>{}</h2><ul>{links}</ul>", escaped(text(&tag["name"])))
}

fn section(document: &Value, tag: &Value) -> String {
    let each = operations(document, tag).map(|operation| article(document, &operation)).collect::<String>();
    format!("<section><h2>{}</h2>{}{each}</section>", escaped(text(&tag["name"])), prose(text(&tag["description"])))
}

fn article(document: &Value, operation: &Operation<'_>) -> String {
    let Operation { path, method, it, .. } = operation;
    format!(
        "<article id=\"{id}\"><h3><b class=\"{method}\">{method}</b> {path}</h3><p class=\"summary\">{summary}</p>{told}\
         <p class=\"needs\">{needs}</p>{parameters}{body}{answers}<pre><code>{curl}</code></pre></article>",
        id = text(&it["operationId"]),
        path = code(&escaped(path)),
        summary = line(text(&it["summary"])),
        told = prose(text(&it["description"])),
        needs = needs(&it["security"]),
        parameters = parameters(document, operation),
        body = body(document, &it["requestBody"]),
        answers = answers(document, &it["responses"]),
        curl = escaped(&Example::of(document, path, method, |_| None).curl()),
    )
}

fn needs(security: &Value) -> String {
    let schemes = list(security).filter_map(Value::as_object).flatten().map(|(scheme, scopes)| {
        let scopes: Vec<_> = list(scopes).map(|scope| code(&escaped(text(scope)))).collect();
        match (scheme.as_str(), scopes.as_slice()) {
            ("api_token", []) => "any API token".to_owned(),
            ("api_token", scopes) => format!("an API token with scope {}", scopes.join(", ")),
            ("relay_basic", _) => "the relay's name and token".to_owned(),
            _ => "the relay's token".to_owned(),
        }
    });
    let schemes: Vec<_> = schemes.collect();
    if schemes.is_empty() { "Open to everybody".to_owned() } else { format!("Needs {}", schemes.join(", or ")) }
}

fn parameters(document: &Value, operation: &Operation<'_>) -> String {
    let mut rows = String::new();
    for parameter in list(&operation.item["parameters"]).chain(list(&operation.it["parameters"])) {
        let parameter = resolve(document, parameter);
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{}<small>{}</small></th><td>{}</td><td>{}</td></tr>",
            code(&escaped(text(&parameter["name"]))),
            escaped(text(&parameter["in"])),
            kind(&parameter["schema"]),
            line(text(&parameter["description"]))
        );
    }
    if rows.is_empty() { rows } else { format!("<h4>Parameters</h4><table>{rows}</table>") }
}

fn body(document: &Value, body: &Value) -> String {
    let Some((media_type, it)) = body["content"].as_object().and_then(|content| content.iter().next()) else {
        return String::new();
    };
    let schema = resolve(document, &it["schema"]);
    let (kind, told) = (kind(&it["schema"]), line(text(&body["description"])));
    format!("<h4>Body</h4><p>{} {kind} {told}</p>{}", code(&escaped(media_type)), members(schema))
}

fn answers(document: &Value, responses: &Value) -> String {
    let mut rows = String::new();
    for (status, response) in responses.as_object().into_iter().flatten() {
        let response = resolve(document, response);
        let kinds = response["content"].as_object().into_iter().flatten().filter(|_| status.starts_with('2'));
        let kinds = kinds.map(|(media_type, it)| format!("<br>{} {}", code(&escaped(media_type)), kind(&it["schema"])));
        let _ = write!(
            rows,
            "<tr><th scope=\"row\">{status}</th><td colspan=\"2\">{}{}</td></tr>",
            line(text(&response["description"])),
            kinds.collect::<String>()
        );
    }
    format!("<h4>Answers</h4><table>{rows}</table>")
}

fn schemas(document: &Value) -> String {
    let all = document["components"]["schemas"].as_object().into_iter().flatten();
    all.map(|(name, schema)| {
        let table = members(schema);
        let what = if table.is_empty() { format!("<p>{}</p>", kind(schema)) } else { table };
        format!("<article id=\"{name}\"><h3>{name}</h3>{}{what}</article>", prose(text(&schema["description"])))
    })
    .collect()
}
