//! The JSON Schema (draft 2020-12) of the report, made from the very types that write it.

use crate::model::{Report, SCHEMA_VERSION};
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

/// Where the schema is published, below the Desk's address.
pub const SCHEMA_PATH: &str = "/api/v1/report.schema.json";

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    Report::schemas(&mut parts);
    let mut defs = serde_json::Map::new();
    for (name, part) in parts {
        defs.insert(name, as_json(&part));
    }
    let mut root = as_json(&Report::schema());
    if let Value::Object(root) = &mut root {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("$id".into(), json!("urn:gatepost:report:1"));
        root.insert("title".into(), json!("Gatepost migration report"));
        if let Some(version) = root.get_mut("properties").and_then(|p| p.get_mut("schema_version")) {
            *version = json!({ "const": SCHEMA_VERSION, "description": "The version of this form." });
        }
        root.insert("$defs".into(), Value::Object(defs));
    }
    localise(&mut root);
    root
}

fn as_json(part: &RefOr<Schema>) -> Value {
    // Schemas are plain data: names, texts and numbers.
    serde_json::to_value(part).unwrap_or(Value::Null)
}

/// OpenAPI keeps its schemas elsewhere than a schema that stands by itself does.
fn localise(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/components/schemas/")
            {
                *target = format!("#/$defs/{name}");
            }
            // Formats of OpenAPI (int64, double) are no formats of JSON Schema.
            fields.remove("format");
            fields.values_mut().for_each(localise);
        }
        Value::Array(items) => items.iter_mut().for_each(localise),
        _ => {}
    }
}
