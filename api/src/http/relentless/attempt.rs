//! `POST /client/attempt` and `POST /client/jobs/finder`: people whose address is not known, looked for while their client
//! waits, or in the background.

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use mailsonde_builtin::{
    names::NameError,
    person::{Person, PersonError},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::ApiError,
    openapi::{ErrorResponse, FinderBatchJobRequest, FinderRequest},
    request::{Answered, ONE_MAX, keep, run, until},
    schedule::{schedule, wanted},
    usage::admit,
};
use crate::{
    facade::relentless::{
        job::{Job, JobType},
        kept::{Input, Kept},
        result::IdentityResult,
        words::RequestType,
    },
    http::{App, Arrived, Caller, Fields, Received, Refusal, Ticket, answer},
};

/// What to do instead, where there is no room.
const INSTEAD: &str = "Schedule the work with POST /client/jobs/finder.";

/// Octets of a domain, or of the address of a web site.
const DOMAIN_OCTETS_MAX: usize = 2_048;

/// A result of somebody who was looked for: the same as of an address.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientFinderResponse)]
pub(super) struct FinderResponse(IdentityResult);

/// Somebody's address.
#[utoipa::path(
    post,
    path = "/client/attempt",
    tag = "Finder",
    request_body = FinderRequest,
    responses(
        (status = 200, body = FinderResponse, description = "The address, if it is found"),
        (status = 429, body = ErrorResponse, description = "`service_busy`, `rate_limited`"),
    ),
)]
pub(super) async fn attempt(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    Extension(arrived): Extension<Arrived>,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let (person, input) = asked(&body.json().await?)?;
    let config = &app.relentless.config;
    admit(&app, &access, 1, config.price_micros.highest_of(RequestType::Finder)).await?;
    let Some(_admitted) = app.relentless.capacity.admit(1) else {
        return Err(ApiError::service_busy(INSTEAD));
    };
    let verdicts = run(&app, &app.find, &access, &[&person.input()], until(&arrived, ONE_MAX)).await?;
    let verdict = verdicts.first().ok_or(Refusal::Internal)?;
    let asked = RequestType::Finder;
    let result = IdentityResult::of(verdict, config.catchall_policy.of(asked), Some(arrived.id.as_str()));
    let kept = vec![Kept { input, result: result.clone() }];
    keep(&app, Answered { access: &access, arrived, asked, kept, ticket, body: &result }).await?;
    Ok(answer(StatusCode::OK, &result))
}

/// Submits people, who are looked for in the background.
#[utoipa::path(
    post,
    path = "/client/jobs/finder",
    tag = "Jobs",
    request_body = FinderBatchJobRequest,
    responses((status = 202, body = Job, description = "The job that was made of them")),
)]
pub(super) async fn schedule_finder_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let (wishes, inputs) = wanted(&app, body, people).await?;
    schedule(&app, &app.find, &access, JobType::FinderBatch, wishes, inputs, ticket).await
}

/// The field `inputs`: between one and so many people, each as an input.
fn people(fields: &mut Fields<'_>, max: usize) -> Vec<String> {
    if !fields.has_items("inputs", max) {
        return Vec::new();
    }
    let mut inputs = Vec::new();
    for mut one in fields.objects("inputs").unwrap_or_default() {
        inputs.extend(person(&mut one).map(|(person, _)| person.input()));
        fields.add(one);
    }
    inputs
}

fn asked(body: &Value) -> Result<(Person, Input), Refusal> {
    let mut fields = Fields::of_body(body)?;
    let person = person(&mut fields);
    fields.finish()?;
    person.ok_or(Refusal::Internal)
}

/// Whoever these fields mean, and what was written; nothing where something is wrong with them.
fn person(fields: &mut Fields<'_>) -> Option<(Person, Input)> {
    let (name, domain) = (fields.text("full_name"), fields.text("email_domain"));
    let (name, domain) = (name?, domain?);
    let person =
        if domain.len() > DOMAIN_OCTETS_MAX { Err(PersonError::Domain) } else { Person::new(name, domain) };
    match person {
        Ok(person) => {
            let text = |text: &str| Some(text.to_owned());
            let input =
                Input { name: text(person.full_name()), domain: text(person.email_domain()), email: None };
            Some((person, input))
        }
        Err(error) => {
            let key = if error.is_of_domain() { "email_domain" } else { "full_name" };
            fields.fault(key, kind(error), error.to_string());
            None
        }
    }
}

/// What is wrong, for programs.
fn kind(error: PersonError) -> &'static str {
    match error {
        PersonError::Name(NameError::Empty) => "string_too_short",
        PersonError::Name(NameError::TooLong) => "string_too_long",
        _ => "value_error",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Where something is wrong, and what.
    fn wrong(body: &Value) -> Vec<(String, &'static str)> {
        let Err(Refusal::Unprocessable(list)) = asked(body) else { panic!("{body}") };
        list.into_iter().map(|wrong| (wrong.loc[1].to_string(), wrong.kind)).collect()
    }

    #[test]
    fn people_have_a_name_and_a_domain() {
        let (person, input) =
            asked(&json!({ "full_name": " Jane Doe ", "email_domain": "https://www.acme.com/about" }))
                .unwrap();
        assert_eq!((person.full_name(), person.domain()), ("Jane Doe", "acme.com"));
        assert_eq!(input.domain.as_deref(), Some("https://www.acme.com/about"), "as it was written");
        assert_eq!(wrong(&json!({})), [("full_name".into(), "missing"), ("email_domain".into(), "missing")]);
        let of = |name: &str, domain: &str| wrong(&json!({ "full_name": name, "email_domain": domain }));
        assert_eq!(of(" ", "acme.com"), [("full_name".into(), "string_too_short")]);
        assert_eq!(of(&"a".repeat(201), "acme.com"), [("full_name".into(), "string_too_long")]);
        assert_eq!(of("Jane\nDoe", "acme.com"), [("full_name".into(), "value_error")]);
        for domain in ["localhost", "192.0.2.1", "", &"a.".repeat(1_100)] {
            assert_eq!(of("Jane Doe", domain), [("email_domain".into(), "value_error")], "{domain}");
        }
    }

    #[test]
    fn of_many_people_each_that_is_wrong_is_told_by_its_place() {
        let body = json!({ "inputs": [
            { "full_name": "Jane Doe", "email_domain": "acme.com" },
            { "full_name": "Jane Doe", "email_domain": "acme" },
            7,
        ] });
        let mut fields = Fields::of_body(&body).unwrap();
        assert_eq!(people(&mut fields, 10), ["Jane Doe\tacme.com"]);
        let Err(Refusal::Unprocessable(list)) = fields.finish() else { panic!() };
        let mut places: Vec<String> =
            list.iter().map(|wrong| serde_json::to_string(&wrong.loc).unwrap()).collect();
        places.sort();
        assert_eq!(places, [r#"["body","inputs",1,"email_domain"]"#, r#"["body","inputs",2]"#]);
    }
}
