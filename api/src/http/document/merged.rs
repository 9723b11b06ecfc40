//! One document of several products', in which nothing of any of them is lost. Where two have the same path and method, one
//! operation describes both: whoever reads it hears of both bodies, both keys and both answers. Where two call different
//! things by the same name, those of the later one get the product's name before theirs. Tags get it always, so that each
//! product has sections of its own.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::{
    Components, Content, OpenApi, PathItem, Ref, RefOr, Required, Response, Schema,
    path::{Operation, Parameter},
    request_body::RequestBody,
    schema::AnyOfBuilder,
    security::SecurityRequirement,
};

/// A product's document.
pub(super) struct Part {
    /// What people call the product.
    pub(super) name: &'static str,
    /// What programs do.
    pub(super) word: &'static str,
    pub(super) document: OpenApi,
}

/// Adds the products' documents to one that has a title and nothing else, in this order.
pub(super) fn merged(mut whole: OpenApi, parts: impl IntoIterator<Item = Part>) -> OpenApi {
    // Whose a path was first.
    let mut first_of: BTreeMap<String, &'static str> = BTreeMap::new();
    for Part { name, word, document } in parts {
        let mut document = with_own_names(document, &whole, (name, word));
        for (path, item) in std::mem::take(&mut document.paths.paths) {
            let first = *first_of.entry(path.clone()).or_insert(name);
            let item = match whole.paths.paths.remove(&path) {
                Some(known) => both_items((first, known), (name, item)),
                None => item,
            };
            whole.paths.paths.insert(path, item);
        }
        whole.merge(document);
    }
    whole
}

/// The operations of a path, the methods that we serve.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, post, put, patch, delete, .. } = item;
    [get, post, put, patch, delete].into_iter().flatten()
}

/// The document with names of its own for what is called otherwise in the whole.
fn with_own_names(mut document: OpenApi, whole: &OpenApi, (name, word): (&str, &str)) -> OpenApi {
    let prefix = name.replace(' ', "");
    if let Some(known) = &whole.components {
        // A schema that refers to a renamed one is another one than before.
        loop {
            let names = clashing(&known.schemas, &components(&mut document).schemas);
            if names.is_empty() {
                break;
            }
            document = with_schemas(&document, &names, &prefix);
        }
        let names = clashing(&known.security_schemes, &components(&mut document).security_schemes);
        with_schemes(&mut document, &names, &prefix);
    }
    let known: Vec<String> = whole
        .paths
        .paths
        .values()
        .flat_map(|item| [&item.get, &item.post, &item.put, &item.patch, &item.delete])
        .filter_map(|operation| operation.as_ref()?.operation_id.clone())
        .collect();
    let everywhere = document.security.take();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if let Some(id) = operation.operation_id.as_mut().filter(|id| known.contains(*id)) {
            *id = format!("{}_{id}", word.replace('-', "_"));
        }
        for tag in operation.tags.iter_mut().flatten() {
            *tag = format!("{name}: {tag}");
        }
        // What holds for a whole document holds for no other.
        operation.security = operation.security.take().or_else(|| everywhere.clone());
    }
    for tag in document.tags.iter_mut().flatten() {
        tag.name = format!("{name}: {}", tag.name);
    }
    document
}

/// The names that stand for different things.
fn clashing<T: PartialEq>(known: &BTreeMap<String, T>, own: &BTreeMap<String, T>) -> Vec<String> {
    let clash = |(name, said): &(&String, &T)| known.get(*name).is_some_and(|known| known != *said);
    own.iter().filter(clash).map(|(name, _)| name.clone()).collect()
}

/// Renames schemas, and whatever refers to them.
fn with_schemas(document: &OpenApi, names: &[String], prefix: &str) -> OpenApi {
    // References stand everywhere, and always as this text: between quotes, none is the beginning of another.
    let reference = |name: &str| format!("\"{}\"", Ref::from_schema_name(name).ref_location);
    let mut text = document.to_json().expect("a document of ours is JSON");
    for name in names {
        text = text.replace(&reference(name), &reference(&format!("{prefix}{name}")));
    }
    let mut document: OpenApi = serde_json::from_str(&text).expect("what was written from a document is one");
    rename(&mut components(&mut document).schemas, names, prefix);
    document
}

/// Renames ways of showing a key, and the operations' demands for them.
fn with_schemes(document: &mut OpenApi, names: &[String], prefix: &str) {
    rename(&mut components(document).security_schemes, names, prefix);
    let everywhere = document.security.iter_mut();
    let of_operations = document.paths.paths.values_mut().flat_map(operations);
    let demands = everywhere.chain(of_operations.filter_map(|operation| operation.security.as_mut()));
    for demand in demands.flatten() {
        // Its names are its own affair but as JSON.
        let Ok(Value::Object(said)) = serde_json::to_value(&*demand) else { continue };
        let renamed = said.into_iter().map(|(name, scopes)| {
            (if names.contains(&name) { format!("{prefix}{name}") } else { name }, scopes)
        });
        *demand = serde_json::from_value::<SecurityRequirement>(Value::Object(renamed.collect()))
            .expect("only names have changed");
    }
}

fn components(document: &mut OpenApi) -> &mut Components {
    document.components.get_or_insert_default()
}

fn rename<T>(all: &mut BTreeMap<String, T>, names: &[String], prefix: &str) {
    for name in names {
        if let Some(said) = all.remove(name) {
            all.insert(format!("{prefix}{name}"), said);
        }
    }
}

/// A product's name, and something of it.
type Of<T> = (&'static str, T);

fn both_items((one, mut known): Of<PathItem>, (other, new): Of<PathItem>) -> PathItem {
    let PathItem { get, post, put, patch, delete, .. } = new;
    let pairs = [
        (&mut known.get, get),
        (&mut known.post, post),
        (&mut known.put, put),
        (&mut known.patch, patch),
        (&mut known.delete, delete),
    ];
    for (known, new) in pairs {
        *known = match (known.take(), new) {
            (Some(known), Some(new)) => Some(both((one, known), (other, new))),
            (known, new) => known.or(new),
        };
    }
    known
}

/// An operation that is one or the other, by whose key is shown.
fn both((one, mut known): Of<Operation>, (other, new): Of<Operation>) -> Operation {
    let said = [(one, &known), (other, &new)].map(|(product, operation)| {
        let texts =
            [&operation.summary, &operation.description].map(|text| text.as_deref().unwrap_or_default());
        format!("**{product}: {}.** {}", texts[0].trim_end_matches('.'), texts[1])
    });
    known.description = Some(format!(
        "Two products have this path. The key that is shown, and the header that shows it, say whose request it is.\n\n{}",
        said.join("\n\n")
    ));
    if known.summary != new.summary {
        let summaries = [(one, known.summary.take()), (other, new.summary)]
            .map(|(product, said)| format!("{} ({product})", said.unwrap_or_default().trim_end_matches('.')));
        known.summary = Some(summaries.join(", or "));
    }
    known.tags.get_or_insert_default().extend(new.tags.into_iter().flatten());
    known.security.get_or_insert_default().extend(new.security.into_iter().flatten());
    known.parameters = both_parameters(known.parameters.take(), new.parameters);
    known.request_body = match (known.request_body.take(), new.request_body) {
        (Some(RefOr::T(known)), Some(RefOr::T(new))) => Some(RefOr::T(both_bodies(known, new))),
        // Who sends none may send none.
        (known, new) => known.or(new),
    };
    for (status, new) in new.responses.responses {
        let response = match (known.responses.responses.remove(&status), new) {
            (Some(RefOr::T(known)), RefOr::T(new)) => RefOr::T(both_responses((one, known), (other, new))),
            (Some(known), _) => known,
            (None, RefOr::T(mut new)) => {
                new.description = format!("{other}: {}", new.description);
                RefOr::T(new)
            }
            (None, new) => new,
        };
        known.responses.responses.insert(status, response);
    }
    known
}

/// All parameters; what one product demands is not demanded of clients of the other.
fn both_parameters(
    known: Option<Vec<RefOr<Parameter>>>,
    new: Option<Vec<RefOr<Parameter>>>,
) -> Option<Vec<RefOr<Parameter>>> {
    let (known, new) = (known.unwrap_or_default(), new.unwrap_or_default());
    let is_same = |one: &RefOr<Parameter>, other: &RefOr<Parameter>| match (one, other) {
        (RefOr::T(one), RefOr::T(other)) => one.name == other.name && one.parameter_in == other.parameter_in,
        (one, other) => one == other,
    };
    let alone = |mut parameter: RefOr<Parameter>, others: &[RefOr<Parameter>]| {
        if let RefOr::T(parameter) = &mut parameter
            && !others.iter().any(|other| is_same(&RefOr::T(parameter.clone()), other))
        {
            parameter.required = Required::False;
        }
        parameter
    };
    let added: Vec<_> =
        new.iter().filter(|new| !known.iter().any(|known| is_same(known, new))).cloned().collect();
    let mut all: Vec<_> = known.into_iter().map(|known| alone(known, &new)).collect();
    all.extend(added.into_iter().map(|added| alone(added, &[])));
    (!all.is_empty()).then_some(all)
}

fn both_bodies(mut known: RequestBody, new: RequestBody) -> RequestBody {
    known.description = known.description.or(new.description);
    for (media_type, new) in new.content {
        let content = both_contents(known.content.remove(&media_type), new);
        known.content.insert(media_type, content);
    }
    known
}

fn both_responses((one, mut known): Of<Response>, (other, new): Of<Response>) -> Response {
    if known.description != new.description {
        known.description = format!("{one}: {}; {other}: {}", known.description, new.description);
    }
    for (name, header) in new.headers {
        known.headers.entry(name).or_insert(header);
    }
    for (media_type, new) in new.content {
        let content = both_contents(known.content.shift_remove(&media_type), new);
        known.content.insert(media_type, content);
    }
    known
}

/// What is as one product says, or as the other. It may be both, where bodies of two products look the same.
fn both_contents(known: Option<RefOr<Content>>, new: RefOr<Content>) -> RefOr<Content> {
    match (known, new) {
        (Some(RefOr::T(mut known)), RefOr::T(new)) => {
            known.schema = match (known.schema.take(), new.schema) {
                (Some(known), Some(new)) if known != new => {
                    let either = AnyOfBuilder::new().item(known).item(new).build();
                    Some(RefOr::T(Schema::AnyOf(either)))
                }
                // Without a schema, anything is allowed.
                (Some(known), Some(_)) => Some(known),
                _ => None,
            };
            RefOr::T(known)
        }
        (Some(known), _) => known,
        (None, new) => new,
    }
}

#[cfg(test)]
mod tests;
