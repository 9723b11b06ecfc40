//! Of small documents, that clash in every way that ours may.

use serde_json::{Value, json};

use super::*;

/// A document of a product with a path that another has too, and one of its own.
fn document(key: &Value, own: &str, field: &str) -> OpenApi {
    let body = |schema: &str| json!({ "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } } });
    let answer = |schema: &str| {
        let mut answer = body(schema);
        answer["description"] = json!(format!("What {field} says"));
        answer
    };
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": field, "version": "1" },
        "paths": {
            "/verify": { "post": {
                "tags": ["Verify"], "operationId": "verify", "summary": format!("Verify {field}"),
                "description": format!("As {field}."),
                "parameters": [
                    { "name": field, "in": "query", "required": true, "schema": { "type": "string" } },
                    { "name": "page", "in": "query", "required": true, "schema": { "type": "integer" } },
                ],
                "requestBody": body("Request"),
                "responses": { "200": answer("Job"), "429": answer("Same") },
                "security": [{ "Key": [] }],
            } },
            own: { "get": {
                "tags": ["Verify"], "operationId": "list", "summary": "List",
                "responses": { "200": answer("Jobs"), field: answer("Job") },
            } },
        },
        "components": {
            "schemas": {
                "Request": { "type": "object", "properties": { field: { "type": "string" } } },
                "Job": { "type": "object", "properties": { field: { "type": "string" } } },
                "Jobs": { "type": "array", "items": { "$ref": "#/components/schemas/Job" } },
                "Same": { "type": "object", "properties": { "error": { "type": "string" } } },
            },
            "securitySchemes": { "Key": key },
        },
        "security": [{ "Key": [] }],
        "tags": [{ "name": "Verify" }],
    });
    serde_json::from_value(document).unwrap()
}

fn of_two() -> Value {
    let header = json!({ "type": "apiKey", "in": "header", "name": "Api-Key" });
    let bearer = json!({ "type": "http", "scheme": "bearer" });
    let parts = [
        Part {
            name: "Email Verifier",
            word: "email-verifier",
            document: document(&header, "/jobs", "first"),
        },
        Part { name: "Tasks", word: "tasks", document: document(&bearer, "/tasks", "second") },
    ];
    let empty = json!({ "openapi": "3.1.0", "info": { "title": "all", "version": "1" }, "paths": {} });
    serde_json::to_value(merged(serde_json::from_value(empty).unwrap(), parts)).unwrap()
}

fn of_schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[test]
fn an_operation_of_two_products_describes_both() {
    let whole = of_two();
    let verify = &whole["paths"]["/verify"]["post"];
    assert_eq!(verify["operationId"], "verify");
    assert_eq!(verify["summary"], "Verify first (Email Verifier), or Verify second (Tasks)");
    let said = verify["description"].as_str().unwrap();
    for part in ["**Email Verifier: Verify first.** As first.", "**Tasks: Verify second.** As second."] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(verify["tags"], json!(["Email Verifier: Verify", "Tasks: Verify"]));
    assert_eq!(verify["security"], json!([{ "Key": [] }, { "TasksKey": [] }]));
    let schema = |of: &Value| of["content"]["application/json"]["schema"].clone();
    let either = |name: &str| json!({ "anyOf": [of_schema(name), of_schema(&format!("Tasks{name}"))] });
    assert_eq!(schema(&verify["requestBody"]), either("Request"));
    assert_eq!(schema(&verify["responses"]["200"]), either("Job"));
    assert_eq!(schema(&verify["responses"]["429"]), of_schema("Same"), "what is the same stands once");
    let described = &verify["responses"]["200"]["description"];
    assert_eq!(*described, json!("Email Verifier: What first says; Tasks: What second says"));
    let parameters: Vec<(&str, bool)> = verify["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["required"].as_bool().unwrap()))
        .collect();
    assert_eq!(parameters, [("first", false), ("page", true), ("second", false)]);
}

#[test]
fn what_has_the_same_name_and_is_not_the_same_gets_another() {
    let whole = of_two();
    let (paths, components) = (&whole["paths"], &whole["components"]);
    assert_eq!(paths["/jobs"]["get"]["operationId"], "list");
    assert_eq!(paths["/tasks"]["get"]["operationId"], "tasks_list");
    assert_eq!(paths["/tasks"]["get"]["tags"], json!(["Tasks: Verify"]));
    assert_eq!(
        paths["/tasks"]["get"]["security"],
        json!([{ "TasksKey": [] }]),
        "of the whole document before"
    );
    assert!(whole.get("security").is_none());
    let names: Vec<&String> = components["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["Job", "Jobs", "Request", "Same", "TasksJob", "TasksJobs", "TasksRequest"]);
    // It says the same of both products, but of jobs that are not the same.
    assert_eq!(components["schemas"]["TasksJobs"]["items"], of_schema("TasksJob"));
    let schema = |path: &str, status: &str| {
        paths[path]["get"]["responses"][status]["content"]["application/json"]["schema"].clone()
    };
    assert_eq!(schema("/jobs", "first"), of_schema("Job"));
    assert_eq!(schema("/tasks", "second"), of_schema("TasksJob"));
    let schemes: Vec<&String> = components["securitySchemes"].as_object().unwrap().keys().collect();
    assert_eq!(schemes, ["Key", "TasksKey"]);
    assert_eq!(whole["tags"], json!([{ "name": "Email Verifier: Verify" }, { "name": "Tasks: Verify" }]));
}
