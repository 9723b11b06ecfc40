//! The `OpenAPI` documents: one for each facade, so that a client of one product can be made from its own, and the whole,
//! which `GET /openapi.json` answers. What they say stands in the folders of the facades.

use std::{collections::HashSet, sync::LazyLock};

use axum::{http::HeaderMap, response::Response};
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use super::{email_verifier, refusal::Refusal, relentless, shape::Shape, tagged::Tagged, tasks};
use crate::access::Facade;

/// None where it cannot be written: a fault of ours.
static WHOLE: LazyLock<Option<Tagged>> =
    LazyLock::new(|| Some(Tagged::new(serde_json::to_vec(&whole()).ok()?, "application/json")));

/// The endpoint.
pub(super) async fn document(headers: HeaderMap) -> Response {
    WHOLE.as_ref().map_or_else(|| Shape::Ours.refuse(&Refusal::Internal), |whole| whole.answer(&headers))
}

/// The document of a facade alone. None: it has no endpoints here.
pub(crate) fn document_of(facade: Facade) -> Option<OpenApi> {
    match facade {
        Facade::EmailVerifier => Some(email_verifier::document()),
        Facade::Relentless => Some(relentless::document()),
        Facade::Tasks => Some(tasks::document()),
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
    let mut whole = OpenApiBuilder::new().info(info).build();
    let mut known = HashSet::new();
    for facade in Facade::ALL {
        let Some(mut document) = document_of(facade) else { continue };
        name_apart(&mut document, facade, &mut known);
        whole.merge(document);
    }
    whole
}

/// Two products have operations of one name. In the whole, those of the later one are named with their product.
fn name_apart(document: &mut OpenApi, facade: Facade, known: &mut HashSet<String>) {
    for methods in document.paths.paths.values_mut() {
        for operation in [&mut methods.get, &mut methods.post].into_iter().flatten() {
            let Some(id) = &mut operation.operation_id else { continue };
            if known.contains(id.as_str()) {
                *id = format!("{}_{id}", facade.word().replace('-', "_"));
            }
            known.insert(id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A path without the names of its operations, which the whole may call otherwise.
    fn nameless(mut said: Value) -> Value {
        for method in ["get", "post"] {
            said.get_mut(method)
                .and_then(Value::as_object_mut)
                .map(|operation| operation.remove("operationId"));
        }
        said
    }

    #[test]
    fn the_whole_has_what_the_documents_of_facades_have() {
        let whole = serde_json::to_value(whole()).unwrap();
        for document in Facade::ALL.into_iter().filter_map(document_of) {
            let document = serde_json::to_value(document).unwrap();
            for part in ["paths", "/components/schemas", "/components/securitySchemes"] {
                let at = if part.starts_with('/') { part.to_owned() } else { format!("/{part}") };
                for (name, said) in document.pointer(&at).and_then(Value::as_object).unwrap() {
                    // Two products have it: of the whole it is the first one's.
                    if name == "/api/v1/verify" {
                        continue;
                    }
                    let told = &whole.pointer(&at).unwrap()[name];
                    assert_eq!(nameless(told.clone()), nameless(said.clone()), "{at} {name}");
                }
            }
            let tags = whole["tags"].as_array().unwrap();
            assert!(document["tags"].as_array().unwrap().iter().all(|tag| tags.contains(tag)), "{tags:?}");
        }
        assert_eq!(whole["info"]["license"]["identifier"], json!(env!("CARGO_PKG_LICENSE")));
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
