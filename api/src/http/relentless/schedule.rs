//! `POST /client/jobs/probe-batch`: addresses that are asked about in the background, until a deadline; and how any job is
//! submitted. That the service is busy at the moment is no reason to refuse one.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode, response::Response};
use jiff::{SignedDuration, Timestamp};
use mailsonde_builtin::person::Person;
use serde_json::json;

use super::{
    Relentless,
    config::{Deadline, WHOLE_MAX},
    error::ApiError,
    openapi::ProbeBatchJobBackgroundRequest,
    probe::read_emails,
    request::CHOICE,
    usage,
};
use crate::{
    access::{Access, Facade},
    assembly::{SMTP_PROBE, Variants},
    facade::relentless::{
        job::{Callback, Job, JobType},
        moment,
        terms::Terms,
    },
    http::{App, Caller, Fields, Invalid, Received, Refusal, Ticket, answer, moment_of},
    jobs::{
        person,
        submit::{Request, Source, SubmitError, WINDOW_MAX, WINDOW_MIN, new_id, submit},
    },
    store::{jobs::JobRow, relentless::NewTerms},
};

/// Octets of the body of a job.
pub(super) const BODY_MAX: usize = 8 * 1024 * 1024;

/// Characters of a `callback_url`.
const CALLBACK_MAX: usize = 2_048;

/// Characters of a `provider`, which says nothing here.
const PROVIDER_MAX: usize = 64;

/// Submits addresses, which are asked about in the background.
#[utoipa::path(
    post,
    path = "/client/jobs/probe-batch",
    tag = "Jobs",
    request_body = ProbeBatchJobBackgroundRequest,
    responses((status = 202, body = Job, description = "The job that was made of them")),
)]
pub(super) async fn schedule_probe_batch(
    State(app): State<Arc<App>>,
    Caller(access): Caller,
    ticket: Option<Ticket>,
    body: Received,
) -> Result<Response, ApiError> {
    let (wishes, inputs) = wanted(&app, body, read_emails).await?;
    schedule(&app, &app.verify, &access, JobType::ProbeBatch, wishes, inputs, ticket).await
}

/// What a client wants: a job of these inputs. `read`: reads so many inputs at most.
///
/// A callback's host is looked up only when nothing of the body is held any more: it is large, and whoever submits it may
/// choose a name that nobody answers for.
pub(super) async fn wanted(
    app: &App,
    body: Received,
    read: impl FnOnce(&mut Fields<'_>, usize) -> Vec<String>,
) -> Result<(Wishes, Vec<String>), ApiError> {
    let config = &app.relentless.config;
    let body = body.json_within(BODY_MAX).await?;
    let mut fields = Fields::of_body(&body)?;
    let wishes = Wishes::read(config.deadline, &mut fields);
    let inputs = read(&mut fields, config.jobs_max.get());
    let mut read = fields.finish();
    drop(body);
    if let Some(url) = &wishes.callback
        && let Err(error) = app.guard.check(url).await
    {
        let wrong = Invalid::new(["body", "callback_url"], "url_unsafe", error.to_string());
        match &mut read {
            Err(Refusal::Unprocessable(list)) => list.push(wrong),
            Ok(()) => read = Err(Refusal::of(wrong)),
            Err(_) => {}
        }
    }
    read?;
    Ok((wishes, inputs))
}

/// What a client wants of a job besides what is done.
pub(super) struct Wishes {
    deadline: Option<Timestamp>,
    callback: Option<String>,
}

impl Wishes {
    /// The fields that all jobs have. Where the callback leads to is not looked at.
    fn read(deadline: Deadline, fields: &mut Fields<'_>) -> Self {
        let said = if deadline == Deadline::Optional {
            fields.text_if_any("deadline")
        } else {
            fields.text("deadline")
        };
        let deadline = said.and_then(moment_of);
        if said.is_some() && deadline.is_none() {
            fields.fault("deadline", "datetime_parsing", "Input should be a valid datetime");
        }
        if fields.text_if_any("provider").is_some_and(|provider| provider.chars().nth(PROVIDER_MAX).is_some())
        {
            let msg = format!("String should have at most {PROVIDER_MAX} characters");
            fields.fault("provider", "string_too_long", msg);
        }
        let callback = fields.text_if_any("callback_url");
        let is_long = callback.is_some_and(|url| url.chars().nth(CALLBACK_MAX).is_some());
        if is_long {
            let msg = format!("String should have at most {CALLBACK_MAX} characters");
            fields.fault("callback_url", "string_too_long", msg);
        }
        Self { deadline, callback: callback.filter(|_| !is_long).map(str::to_owned) }
    }
}

/// Takes a job, or says by when it could be done.
pub(super) async fn schedule(
    app: &Arc<App>,
    variants: &Variants,
    access: &Access,
    job_type: JobType,
    wishes: Wishes,
    inputs: Vec<String>,
    ticket: Option<Ticket>,
) -> Result<Response, ApiError> {
    let Relentless { config, .. } = &app.relentless;
    // Whoever has nothing left is told so before anything is prepared; what decides comes with the submission.
    usage::admit(app, access, inputs.len(), config.price_micros.highest_of(job_type.asks())).await?;
    let estimate = app.estimate.of(&inputs);
    let estimate = u32::try_from(estimate.min(WHOLE_MAX.unsigned_abs())).unwrap_or(u32::MAX);
    let terms =
        Terms::new(estimate, unique_domains(job_type, &inputs), config.catchall_policy, config.price_micros);
    let window = Duration::from_secs(u64::from(estimate) * 10).clamp(Duration::from_hours(24), WINDOW_MAX);
    let row = foreseen(access, job_type, variants, inputs.len(), wishes.deadline, window);
    let job = Job::of(&row, &terms, &[], Callback::untold(wishes.callback.clone()), None);
    let answered =
        ticket.map(|ticket| ticket.answer(app.store.keys(), StatusCode::ACCEPTED, &job)).transpose()?;
    let reserved = terms.reserved(job_type.asks(), row.items);
    let request = Request {
        id: row.id,
        client: access.client,
        facade: Facade::Relentless.word(),
        source: Source { word: job_type.word(), filename: None },
        callback: wishes.callback,
        pipeline: row.pipeline,
        skips: variants.skips(CHOICE)?,
        asks: variants.of(CHOICE)?.has(SMTP_PROBE),
        window: Some(window),
        deadline: wishes.deadline,
        retention: Some(config.items()),
        is_billed: false,
        inputs,
        sheet: None,
        answer: answered,
        terms: Some(NewTerms {
            terms: terms.write()?,
            reserved_micros: i32::try_from(reserved).unwrap_or(i32::MAX),
            header: config.headers(),
            limits: config.limits(),
        }),
    };
    match submit(&app.store, &app.jobs, &app.site, request).await {
        Ok(_) => Ok(answer(StatusCode::ACCEPTED, &job)),
        Err(error) => Err(refused(error, wishes.deadline, estimate)),
    }
}

/// The job as it will be when it is taken: what is answered is kept with it, so it is written before. The moment of its
/// submission is the database's, which may differ by as much as the clocks do.
fn foreseen(
    access: &Access,
    job_type: JobType,
    variants: &Variants,
    items: usize,
    deadline: Option<Timestamp>,
    window: Duration,
) -> JobRow {
    let now = Timestamp::now();
    let in_time = SignedDuration::try_from(window).ok().and_then(|window| now.checked_add(window).ok());
    let deadline_at = deadline.or(in_time).unwrap_or(now);
    JobRow {
        id: new_id(),
        client: access.client,
        facade: Facade::Relentless.word().to_owned(),
        source: job_type.word().to_owned(),
        filename: None,
        callback: None,
        is_told: false,
        state: "running".to_owned(),
        pipeline: variants.name().to_owned(),
        items: i32::try_from(items).unwrap_or(i32::MAX),
        done: 0,
        created_at: now,
        deadline_at,
        started_at: None,
        ended_at: None,
        left_over: None,
        counts: None,
        expires_at: deadline_at,
        pruned_at: None,
        is_expired: false,
    }
}

/// Domains of addresses, and of persons.
fn unique_domains(job_type: JobType, inputs: &[String]) -> u32 {
    let domain = |input: &String| match job_type {
        JobType::FinderBatch => Person::read(input)?.ok().map(|person| person.domain().to_owned()),
        JobType::ProbeBatch => person::address(input).map(|address| address.domain().to_owned()),
    };
    let domains: HashSet<String> = inputs.iter().filter_map(domain).collect();
    u32::try_from(domains.len()).unwrap_or(u32::MAX)
}

/// Why a job was not taken.
fn refused(error: SubmitError, deadline: Option<Timestamp>, estimate: u32) -> ApiError {
    let now = Timestamp::now();
    let after = |time: SignedDuration| {
        let time = SignedDuration::from_secs(time.as_secs() + SENDS_AGAIN_SECONDS);
        now.checked_add(time).ok().map(moment)
    };
    let least = SignedDuration::try_from(WINDOW_MIN).unwrap_or(SignedDuration::ZERO);
    let (kind, msg, earliest) = match error {
        SubmitError::Late(earliest) => ("deadline_too_tight", TOO_TIGHT, earliest.and_then(after)),
        SubmitError::Window if deadline.is_some_and(|deadline| deadline > now + WINDOW_MAX - WINDOW_MIN) => {
            ("deadline_too_far", "Deadline should be within 30 days", after(least))
        }
        SubmitError::Window => ("deadline_too_tight", TOO_TIGHT, after(least)),
        SubmitError::Exhausted => return ApiError::usage_exhausted(),
        SubmitError::Store(error) => return error.into(),
        other => {
            tracing::error!("a job cannot be submitted: {other}");
            return Refusal::Internal.into();
        }
    };
    let ctx = json!({ "earliest_deadline_at": earliest, "estimated_runtime_seconds": estimate });
    Refusal::of(Invalid { ctx: Some(ctx), ..Invalid::new(["body", "deadline"], kind, msg) }).into()
}

/// Whoever sends a job again with the deadline that he was told takes some seconds for that.
const SENDS_AGAIN_SECONDS: i64 = 5;

const TOO_TIGHT: &str = "The deadline cannot be kept, even if the job is begun at once";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_cannot_be_kept_is_told_with_one_that_can() {
        let told = |error, deadline| {
            let ApiError::Refused(Refusal::Unprocessable(list)) = refused(error, deadline, 7) else {
                panic!()
            };
            let ctx = list[0].ctx.clone().unwrap();
            assert_eq!(ctx["estimated_runtime_seconds"], 7);
            (list[0].kind, ctx["earliest_deadline_at"].as_str().map(|at| at.parse::<Timestamp>().unwrap()))
        };
        let now = Timestamp::now();
        let (kind, earliest) = told(SubmitError::Window, Some(now));
        let sent_again = now + SignedDuration::from_secs(3);
        assert!(kind == "deadline_too_tight" && earliest.unwrap() >= sent_again + WINDOW_MIN);
        let late = SubmitError::Late(Some(SignedDuration::from_secs(90)));
        let (kind, earliest) = told(late, Some(now + SignedDuration::from_secs(60)));
        let in_time = sent_again + SignedDuration::from_secs(90);
        assert!(kind == "deadline_too_tight" && earliest.unwrap() >= in_time);
        assert_eq!(told(SubmitError::Late(None), Some(now)).1, None);
        assert_eq!(told(SubmitError::Window, "9999-12-30T00:00:00Z".parse().ok()).0, "deadline_too_far");
    }

    #[test]
    fn domains_are_counted_once_however_they_are_written() {
        let emails = ["a@example.com", "b@EXAMPLE.com", "a@example.org", "no\taddress", ""];
        assert_eq!(unique_domains(JobType::ProbeBatch, &emails.map(str::to_owned)), 2);
        let people = ["Jane Doe\texample.com", "John Smith\texample.com"];
        assert_eq!(unique_domains(JobType::FinderBatch, &people.map(str::to_owned)), 1);
    }
}
