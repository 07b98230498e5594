//! The description of the API, made of the table of routes.

use serde_json::{Map, Value, json};

use super::media::Media;
use super::parameters::{Kind, Parameter};
use super::routes::{Form, ROUTES, Route};

/// The document (OpenAPI 3.1.1).
pub(super) fn document() -> Value {
    let paths: Map<String, Value> =
        ROUTES.iter().map(|route| (route.path.to_string(), json!({ "get": operation(route) }))).collect();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "hitters",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The most frequent items of event streams, for any interval. Every answer says whether it is exact.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Refusal": {
                "type": "object",
                "required": ["error"],
                "properties": {
                    "error": { "type": "string", "description": "What is wrong, and what would do, in one sentence." },
                    "parameter": { "type": "string", "description": "Which parameter is to blame." },
                },
            } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route.parameters.iter().map(parameter).collect();
    if route.path.contains("{key}") {
        let schema = json!({ "type": "string" });
        let about = "The key; bytes that are not UTF-8 as %NN, or as \\xNN, which is how rows show them.";
        parameters
            .push(json!({ "name": "key", "in": "path", "required": true, "description": about, "schema": schema }));
    }
    let refusal = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Refusal" } } });
    // Without a token where one is asked for, {} is refused; where none is, it is enough.
    let security = if route.is_public { json!([]) } else { json!([{ "token": [] }, {}]) };
    json!({
        "summary": route.about,
        "operationId": operation_id(route.path),
        "parameters": parameters,
        "security": security,
        "responses": {
            "200": { "description": "The answer.", "content": content(route.form) },
            "default": { "description": "There is no answer.", "content": refusal },
        },
    })
}

fn operation_id(path: &str) -> &str {
    let last = path.trim_end_matches("/{key}").rsplit('/').next().unwrap_or_default();
    if last.is_empty() { "page" } else { last.trim_end_matches(".json") }
}

fn content(form: Form) -> Value {
    let rows = json!({ "type": "object", "properties": {
        "exact": { "type": "boolean", "description": "All rows and counts are true." },
        "partial": { "type": "boolean", "description": "A part of the interval could not be looked at, so bounds need not hold." },
        "missing": { "type": "array", "items": { "type": "string" } },
        "rows": { "type": "array", "items": { "type": "object" } },
    }, "required": ["rows"] });
    match form {
        Form::Always(name) => json!({ name: {} }),
        Form::Rows => {
            let schema = |media: Media| if media == Media::Json { rows.clone() } else { json!({ "type": "string" }) };
            Value::Object(
                Media::all().map(|media| (media.name().to_string(), json!({ "schema": schema(media) }))).collect(),
            )
        }
    }
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Number(default, most) => {
            json!({ "type": "integer", "minimum": 0, "maximum": most, "default": default })
        }
        Kind::Millis => json!({ "type": "integer" }),
        Kind::Flag => json!({ "type": "boolean", "default": false }),
        Kind::Pattern => json!({ "type": "string", "format": "regex" }),
        Kind::Time | Kind::Duration | Kind::Key | Kind::Word | Kind::Counts => json!({ "type": "string" }),
    };
    json!({ "name": parameter.name, "in": "query", "description": parameter.about, "schema": schema })
}
