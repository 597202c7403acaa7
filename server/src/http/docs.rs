//! The API's description: the OpenAPI document, and a page made from it that needs no script.

use super::desk::site::Site;
use axum::{
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::header;
use serde_json::Value;
use std::fmt::Write;
use utoipa::openapi::OpenApi;

/// Both forms of the description, made once.
#[derive(Clone)]
pub struct Docs {
    json: Bytes,
    page: Bytes,
}

impl Docs {
    /// Makes both.
    pub fn new(document: &OpenApi, site: &Site) -> Self {
        let value = serde_json::to_value(document).expect("the document is plain data");
        let page = html(&value, &format!("/{}/gatepost.css", site.options.site_pkg_dir));
        let json = serde_json::to_vec_pretty(&value).expect("the document is plain data");
        Self { json: json.into(), page: page.into() }
    }
}

/// The OpenAPI 3.1 document.
pub async fn json(State(docs): State<Docs>) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], docs.json).into_response()
}

/// The same for people.
pub async fn page(State(docs): State<Docs>) -> Response {
    let policy = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, docs.page).into_response()
}

/// Text made safe for HTML.
struct Text<'a>(&'a str);

impl std::fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                c => f.write_char(c),
            }?;
        }
        Ok(())
    }
}

fn text(value: &Value) -> Text<'_> {
    Text(value.as_str().unwrap_or_default())
}

fn html(document: &Value, stylesheet: &str) -> String {
    let mut out = String::with_capacity(128 * 1024);
    let title = text(&document["info"]["title"]);
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"{}\"></head><body class=\"docs\"><main><h1>{title}</h1><p>{}</p>\
         <p>The same as <a href=\"/api/v1/openapi.json\">OpenAPI 3.1 document</a>.</p>",
        Text(stylesheet),
        text(&document["info"]["description"])
    )
    .expect("a string takes everything");
    operations(&mut out, document);
    schemas(&mut out, document);
    out.push_str("</main></body></html>");
    out
}

fn operations(out: &mut String, document: &Value) {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all: Vec<(&str, &str, &Value)> = paths
        .flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .filter(|(_, _, operation)| operation["responses"].is_object())
        .collect();
    let mut tags: Vec<&str> = all.iter().filter_map(|(_, _, operation)| operation["tags"][0].as_str()).collect();
    tags.sort_unstable();
    tags.dedup();
    let mut contents = String::from("<nav aria-label=\"Contents\"><ul>");
    for tag in &tags {
        let _ = write!(contents, "<li><a href=\"#{0}\">{0}</a></li>", Text(tag));
    }
    out.push_str(&contents);
    out.push_str("<li><a href=\"#schemas\">schemas</a></li></ul></nav>");
    for tag in tags {
        let _ = write!(out, "<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{0}</h2>", Text(tag));
        for (path, method, operation) in all.iter().filter(|(_, _, o)| o["tags"][0] == tag) {
            operation_of(out, path, method, operation);
        }
        out.push_str("</section>");
    }
}

fn operation_of(out: &mut String, path: &str, method: &str, operation: &Value) {
    let _ = write!(
        out,
        "<article><h3><code>{} {}</code></h3><p>{}</p>",
        method.to_ascii_uppercase(),
        Text(path),
        text(&operation["summary"])
    );
    if let Some(more) = operation["description"].as_str() {
        let _ = write!(out, "<p>{}</p>", Text(more));
    }
    if let Some(parameters) = operation["parameters"].as_array().filter(|p| !p.is_empty()) {
        out.push_str("<table><caption>Parameters</caption><thead><tr><th scope=\"col\">Name</th><th scope=\"col\">In</th><th scope=\"col\">Type</th><th scope=\"col\">What</th></tr></thead><tbody>");
        for p in parameters {
            let _ = write!(
                out,
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&p["name"]),
                text(&p["in"]),
                kind(&p["schema"]),
                text(&p["description"])
            );
        }
        out.push_str("</tbody></table>");
    }
    for (media, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
        let _ = write!(out, "<p>Body: <code>{}</code> {}</p>", Text(media), kind(&content["schema"]));
    }
    out.push_str("<ul>");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let _ = write!(out, "<li><code>{}</code> {}", Text(status), text(&response["description"]));
        for (media, content) in response["content"].as_object().into_iter().flatten() {
            let _ = write!(out, ": <code>{}</code> {}", Text(media), kind(&content["schema"]));
        }
        out.push_str("</li>");
    }
    out.push_str("</ul></article>");
}

fn schemas(out: &mut String, document: &Value) {
    out.push_str("<section aria-labelledby=\"schemas\"><h2 id=\"schemas\">schemas</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(
            out,
            "<article><h3 id=\"schema-{0}\"><code>{0}</code></h3><p>{1}</p>",
            Text(name),
            text(&schema["description"])
        );
        if let Some(names) = schema["enum"].as_array() {
            let names: Vec<String> = names.iter().map(|n| format!("<code>{}</code>", text(n))).collect();
            let _ = write!(out, "<p>One of {}</p>", names.join(", "));
        }
        let required = |field: &str| schema["required"].as_array().is_some_and(|r| r.iter().any(|f| f == field));
        if let Some(fields) = schema["properties"].as_object().filter(|f| !f.is_empty()) {
            out.push_str("<table><thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Type</th><th scope=\"col\">What</th></tr></thead><tbody>");
            for (field, shape) in fields {
                let _ = write!(
                    out,
                    "<tr><th scope=\"row\"><code>{}</code>{}</th><td>{}</td><td>{}</td></tr>",
                    Text(field),
                    if required(field) { " (required)" } else { "" },
                    kind(shape),
                    text(&shape["description"])
                );
            }
            out.push_str("</tbody></table>");
        }
        out.push_str("</article>");
    }
    out.push_str("</section>");
}

/// A schema in a few words, as HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", Text(name));
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[word].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => Text(name).to_string(),
        Value::Array(names) => names.iter().map(|n| text(n).to_string()).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    }
}
