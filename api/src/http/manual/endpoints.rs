//! The endpoints of a document as text: what each is for, and what it reads. What they answer stands in the document.

use std::fmt::Write as _;

use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// Writes them, a heading each.
pub(super) fn write(text: &mut String, document: &OpenApi) {
    // Our own documents are JSON.
    let document = serde_json::to_value(document).unwrap_or_default();
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            let said = |name: &str| operation[name].as_str().unwrap_or_default();
            // Writing to a text cannot fail.
            let _ = write!(text, "\n## {} {path}: {}\n", method.to_uppercase(), said("summary"));
            if !said("description").is_empty() {
                let _ = write!(text, "\n{}\n", said("description"));
            }
            for reads in [parameters(&document, operation), body(&document, operation)] {
                if !reads.is_empty() {
                    let _ = write!(text, "\n{}\n", reads.join("\n"));
                }
            }
            let statuses: Vec<String> = fields(&operation["responses"])
                .map(|(status, answer)| {
                    format!("{status} ({})", answer["description"].as_str().unwrap_or_default())
                })
                .collect();
            let _ = write!(text, "\nAnswers {}.\n", statuses.join("; "));
        }
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A line each.
fn parameters(document: &Value, operation: &Value) -> Vec<String> {
    let line = |parameter: &Value| {
        let (place, name) = (parameter["in"].as_str()?, parameter["name"].as_str()?);
        let is_required = parameter["required"].as_bool().unwrap_or_default();
        let schema = resolved(document, &parameter["schema"]);
        Some(told(&format!("{place} `{name}`"), schema, is_required, &parameter["description"]))
    };
    list(&operation["parameters"]).filter_map(|parameter| line(resolved(document, parameter))).collect()
}

/// The fields of the body, a line each.
fn body(document: &Value, operation: &Value) -> Vec<String> {
    let Some((media_type, content)) = fields(&operation["requestBody"]["content"]).next() else {
        return Vec::new();
    };
    let schema = resolved(document, &content["schema"]);
    let required: Vec<&Value> = list(&schema["required"]).collect();
    let line = |(name, said): (&String, &Value)| {
        let of_field = resolved(document, said);
        told(&format!("body `{name}`"), of_field, required.contains(&&json!(name)), &said["description"])
    };
    let mut lines: Vec<String> = fields(&schema["properties"]).map(line).collect();
    if !lines.is_empty() {
        lines.insert(0, format!("Body: `{media_type}`.\n"));
    }
    lines
}

fn told(name: &str, schema: &Value, is_required: bool, description: &Value) -> String {
    let need = if is_required { "required" } else { "optional" };
    let about = description.as_str().or(schema["description"].as_str()).unwrap_or_default();
    let mut line = format!("- {name} ({}, {need})", kind(schema));
    if !about.is_empty() {
        let _ = write!(line, ": {}", about.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    line
}

/// The type of a value, or the types.
fn kind(schema: &Value) -> String {
    let words: Vec<&str> = match &schema["type"] {
        Value::String(word) => vec![word],
        Value::Array(words) => {
            words.iter().filter_map(Value::as_str).filter(|word| *word != "null").collect()
        }
        _ => Vec::new(),
    };
    if words.is_empty() { "object".to_owned() } else { words.join(" or ") }
}

/// What a reference stands for; of something that may be null, what it is otherwise.
fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let either = list(&value["oneOf"]).chain(list(&value["anyOf"])).find(|one| one["type"] != "null");
    let value = either.unwrap_or(value);
    let place = value["$ref"].as_str().and_then(|place| place.strip_prefix('#'));
    place.and_then(|place| document.pointer(place)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_told_with_what_it_reads() {
        let document = json!({
            "openapi": "3.1.0",
            "info": { "title": "t", "version": "1" },
            "paths": { "/jobs/{id}": { "post": {
                "summary": "A job", "description": "Does it.",
                "parameters": [
                    { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
                    { "name": "page", "in": "query", "description": "From\n 1.",
                      "schema": { "type": ["integer", "null"] }, "required": false },
                ],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Body" } } } },
                "responses": { "202": { "description": "Taken" }, "404": { "description": "No such job" } },
            } } },
            "components": { "schemas": {
                "Body": { "type": "object", "required": ["emails"], "properties": {
                    "emails": { "type": "array", "items": { "type": "string" }, "description": "Up to 100." },
                    "options": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Options" }] },
                } },
                "Options": { "type": "object", "description": "What is done." },
            } },
        });
        let mut text = String::new();
        write(&mut text, &serde_json::from_value(document).unwrap());
        let expected = "\n## POST /jobs/{id}: A job\n\nDoes it.\n\n\
            - path `id` (string, required)\n\
            - query `page` (integer, optional): From 1.\n\n\
            Body: `application/json`.\n\n\
            - body `emails` (array, required): Up to 100.\n\
            - body `options` (object, optional): What is done.\n\n\
            Answers 202 (Taken); 404 (No such job).\n";
        assert_eq!(text, expected);
    }
}
