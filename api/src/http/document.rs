//! The `OpenAPI` documents: one for each product, so that a client of one can be made from its own, and the whole, which
//! `GET /openapi.json` answers. What they say stands in the folders of the facades.

mod merged;

use std::sync::LazyLock;

use axum::{http::HeaderMap, response::Response};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::{email_verifier, refusal::Refusal, relentless, shape::Shape, tagged::Tagged, tasks};
use crate::access::Facade;

const JSON: &str = "application/json";

/// None where it cannot be written: a fault of ours.
static WHOLE: LazyLock<Option<Tagged>> = LazyLock::new(|| written(&whole()));

/// Those of the products, in the order of `Facade::ALL`.
static PARTS: LazyLock<[Option<Tagged>; Facade::ALL.len()]> =
    LazyLock::new(|| Facade::ALL.map(|facade| written(&document_of(facade))));

fn written(document: &OpenApi) -> Option<Tagged> {
    Some(Tagged::new(serde_json::to_vec(document).ok()?, JSON))
}

/// The endpoint of the whole.
pub(super) async fn document(headers: HeaderMap) -> Response {
    WHOLE.as_ref().map_or_else(|| Shape::Ours.refuse(&Refusal::Internal), |whole| whole.answer(&headers))
}

/// The endpoint of a product's own.
pub(super) async fn document_for(facade: Facade, headers: HeaderMap) -> Response {
    let of_facade = Facade::ALL.iter().position(|one| *one == facade).and_then(|at| PARTS[at].as_ref());
    of_facade.map_or_else(|| Shape::Ours.refuse(&Refusal::Internal), |document| document.answer(&headers))
}

/// Where a product's document is.
pub(super) fn path_of(facade: Facade) -> String {
    format!("/openapi/{}.json", facade.word())
}

/// What people call a product.
pub(super) const fn name_of(facade: Facade) -> &'static str {
    match facade {
        Facade::EmailVerifier => "Email Verifier",
        Facade::Relentless => "Relentless Identity",
        Facade::Tasks => "Tasks",
    }
}

/// The document of a facade alone.
pub(crate) fn document_of(facade: Facade) -> OpenApi {
    match facade {
        Facade::EmailVerifier => email_verifier::document(),
        Facade::Relentless => relentless::document(),
        Facade::Tasks => tasks::document(),
    }
}

/// The document of all that is served.
pub(crate) fn whole() -> OpenApi {
    let license = env!("CARGO_PKG_LICENSE");
    let info = InfoBuilder::new()
        .title("mailsonde")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Finds out whether email addresses work, without sending mail."))
        .license(Some(LicenseBuilder::new().name(license).identifier(Some(license)).build()))
        .build();
    let part = |facade: Facade| merged::Part {
        name: name_of(facade),
        word: facade.word(),
        document: document_of(facade),
    };
    merged::merged(OpenApiBuilder::new().info(info).build(), Facade::ALL.into_iter().map(part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_whole_has_every_operation_of_every_product() {
        let whole = serde_json::to_value(whole()).unwrap();
        for facade in Facade::ALL {
            let document = serde_json::to_value(document_of(facade)).unwrap();
            for (path, methods) in document["paths"].as_object().unwrap() {
                for (method, operation) in methods.as_object().unwrap() {
                    let told = &whole["paths"][path][method];
                    let tag = format!("{}: {}", name_of(facade), operation["tags"][0].as_str().unwrap());
                    assert!(
                        told["tags"].as_array().unwrap().contains(&json!(tag)),
                        "{method} {path}: {told}"
                    );
                    for status in operation["responses"].as_object().unwrap().keys() {
                        assert!(told["responses"].get(status).is_some(), "{method} {path} {status}");
                    }
                    // Each thing that it refers to is referred to in the whole, perhaps by a longer name.
                    for schema in schemas(operation) {
                        assert!(schemas(told).iter().any(|told| told.ends_with(&schema)), "{path} {schema}");
                    }
                }
            }
        }
        assert_eq!(whole["info"]["license"]["identifier"], json!(env!("CARGO_PKG_LICENSE")));
    }

    /// The names of schemas that an operation refers to.
    fn schemas(operation: &Value) -> Vec<String> {
        let text = operation.to_string();
        let named = text.split("#/components/schemas/").skip(1);
        named.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        for document in Facade::ALL.into_iter().map(document_of).chain([whole()]) {
            let document = serde_json::to_value(document).unwrap();
            for schema in schemas(&document) {
                assert!(document["components"]["schemas"].get(&schema).is_some(), "{schema}");
            }
        }
    }

    #[test]
    fn no_two_operations_have_one_name() {
        let whole = serde_json::to_value(whole()).unwrap();
        let operations =
            whole["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
        let mut names: Vec<&str> =
            operations.map(|(_, said)| said["operationId"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
    }
}
