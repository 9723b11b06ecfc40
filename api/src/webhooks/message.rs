//! Messages: what is told, and where. Frozen when it comes about: every try says the same octets. What the end of a job
//! is told with is the product's by which it came.

use jiff::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    facade::{
        email_verifier::{self, job::JobStatus},
        relentless::{self, job::Closing, terms::Terms},
        tasks::completed::Completed,
    },
    jobs::rows::verdicts::Judged,
    store::{
        StoreError,
        jobs::{End, JobRow},
        keys::{Keyring, Row},
        task_lists::Sums,
        webhooks::NewWebhook,
    },
    words::TasksVocabulary,
};

/// Of whom the lanes are, in the index of names.
const LANES: &str = "webhook host";

/// What is told to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Where to; it was checked by [`super::Guard`] when it was given.
    pub(crate) url: String,
    /// JSON, as it is sent.
    pub(crate) body: String,
    /// It goes with the headers of that product too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_of_tasks: bool,
}

impl Message {
    /// Ready for [`crate::store::webhooks::add`]. `job`: whose end is told, if it is one.
    pub(crate) fn sealed(&self, keys: &Keyring, client: Uuid, job: Option<Uuid>) -> NewWebhook {
        let id = Uuid::now_v7();
        NewWebhook { id, client, job, host: lane(keys, client, &self.url), sealed: self.seal(keys, id) }
    }

    /// As it is kept under this id.
    pub(crate) fn seal(&self, keys: &Keyring, id: Uuid) -> Vec<u8> {
        let text = serde_json::to_vec(self).expect("texts can be written");
        keys.seal(Row::Webhook { id }, &text)
    }

    /// Of the end of a task, where it is told. `rows`: all of them, where they are to be told.
    pub(crate) fn of_task(
        keys: &Keyring,
        job: &JobRow,
        sums: &Sums,
        rows: Option<&[Judged]>,
        vocabulary: TasksVocabulary,
    ) -> Result<Option<Self>, StoreError> {
        let (Some(url), Some(End::Done | End::DeadlinePassed)) = (callback_of(keys, job)?, job.end()) else {
            return Ok(None);
        };
        let completed = Completed::of(job, sums, rows, vocabulary);
        let body = serde_json::to_string(&completed)
            .map_err(|error| StoreError::Refused(error.to_string().into()))?;
        Ok(Some(Self { url, body, is_of_tasks: true }))
    }

    /// What was kept of one.
    pub(super) fn open(keys: &Keyring, id: Uuid, sealed: &[u8]) -> Result<Self, StoreError> {
        let text = keys.open(Row::Webhook { id }, sealed)?;
        serde_json::from_slice(&text).map_err(|_| StoreError::Unread("a webhook is not what it was".into()))
    }
}

/// The lane of a host: each client has its own, so that what one client does at a host that serves many is no other's
/// loss.
pub(super) fn lane(keys: &Keyring, client: Uuid, url: &str) -> Vec<u8> {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
    keys.lasting_index_of_name(LANES, &format!("{client} {host}")).into_bytes()
}

/// Where a job's end is told, if it is.
pub(crate) fn callback_of(keys: &Keyring, job: &JobRow) -> Result<Option<String>, StoreError> {
    let Some(sealed) = &job.callback else { return Ok(None) };
    let url = keys.open(Row::Callback { job: job.id }, sealed)?;
    String::from_utf8(url).map(Some).map_err(|_| StoreError::Unread("a callback is not what it was".into()))
}

/// What is told of a job that has just ended; nothing, where nobody is told.
/// `closing`: what else is known of one of Relentless Identity.
pub(crate) fn of_job(
    keys: &Keyring,
    job: &JobRow,
    closing: Option<(&Terms, &Closing)>,
) -> Result<Option<NewWebhook>, StoreError> {
    let (Some(url), Some(end)) = (callback_of(keys, job)?, job.end()) else { return Ok(None) };
    let body = match (job.facade.as_str(), end) {
        // Who cancels knows.
        (email_verifier::WORD, End::Canceled) => return Ok(None),
        (email_verifier::WORD, End::Done | End::DeadlinePassed) => {
            of_email_verifier(job, &url, job.filename(keys)?.as_deref())?
        }
        (relentless::WORD, end) => {
            let Some((terms, closing)) = closing else {
                return Err(StoreError::Unread("a job has lost its terms".into()));
            };
            of_relentless(
                &relentless::artifact::as_at_end(job, terms, Some(url.clone()), closing.clone()),
                job,
                end,
            )?
        }
        (other, _) => {
            tracing::warn!("the end of job {} is not told: jobs of `{other}` have no webhooks yet", job.id);
            return Ok(None);
        }
    };
    Ok(Some(Message { url, body, is_of_tasks: false }.sealed(keys, job.client, Some(job.id))))
}

/// `{"type":"job.completed","timestamp":…,"data":{"job":JobStatus}}`.
fn of_email_verifier(job: &JobRow, url: &str, filename: Option<&str>) -> Result<String, StoreError> {
    let status = JobStatus::of(job, job.counts.as_deref().unwrap_or_default(), Some(url), filename);
    let timestamp = email_verifier::moment(job.ended_at.unwrap_or(Timestamp::UNIX_EPOCH));
    enveloped("job.completed", timestamp, status)
}

/// `{"type":"job.completed",…}` or `job.canceled`: who cancels may be another one than who waits.
fn of_relentless(told: &relentless::job::Job, job: &JobRow, end: End) -> Result<String, StoreError> {
    let r#type = if end == End::Canceled { "job.canceled" } else { "job.completed" };
    let timestamp = relentless::moment(job.ended_at.unwrap_or(Timestamp::UNIX_EPOCH));
    enveloped(r#type, timestamp, told)
}

/// A job in its envelope.
fn enveloped<J: Serialize>(r#type: &'static str, timestamp: String, job: J) -> Result<String, StoreError> {
    #[derive(Serialize)]
    struct Envelope<J> {
        r#type: &'static str,
        timestamp: String,
        data: Data<J>,
    }
    #[derive(Serialize)]
    struct Data<J> {
        job: J,
    }
    let envelope = Envelope { r#type, timestamp, data: Data { job } };
    serde_json::to_string(&envelope).map_err(|error| StoreError::Refused(error.to_string().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::keys;

    #[test]
    fn what_is_kept_opens_where_it_stands_and_shows_nothing() {
        let message = Message {
            url: "https://hooks.example.com/a".into(),
            body: "{\"a\":1}".into(),
            is_of_tasks: true,
        };
        let new = message.sealed(&keys(), Uuid::nil(), None);
        assert_eq!(Message::open(&keys(), new.id, &new.sealed).unwrap(), message);
        assert!(Message::open(&keys(), Uuid::nil(), &new.sealed).is_err());
        for kept in [&new.sealed, &new.host] {
            assert!(!kept.windows(5).any(|five| five == b"hooks"));
        }
    }

    #[test]
    fn a_lane_is_a_hosts_and_a_clients() {
        let lane = |client, url| lane(&keys(), Uuid::from_u128(client), url);
        let here = lane(1, "https://hooks.example.com/a");
        assert_eq!(lane(1, "https://HOOKS.example.com:8443/b?c"), here);
        assert_ne!(lane(1, "https://hooks2.example.com/a"), here);
        assert_ne!(lane(2, "https://hooks.example.com/a"), here);
    }

    const RELENTLESS: &str = r#"{"type":"job.completed","timestamp":"2027-01-01T23:10:40Z","data":{"job":{"id":"019b7a3c-5f10-7c2e-9a41-2f6d0c8b1e55","job_type":"probe_batch","status":"completed","deadline_at":"2027-01-02T00:00:00Z","estimated_runtime_seconds":3,"scheduled_start_at":"2027-01-01T23:10:00Z","callback_url":"https://example.com/callbacks/relentless","callback_status":"pending","callback_attempts":0,"callback_last_error":null,"requested_count":2,"completed_count":2,"success_count":1,"not_found_count":1,"error_count":0,"reserved_amount_micros":0,"actual_amount_micros":0,"progress_percent":100.0,"summary":{"total":2,"found":1,"not_found":1,"errors":0,"unique_domains":1,"providers":{"google":2}},"metadata":{},"started_at":"2027-01-01T23:10:02Z","completed_at":"2027-01-01T23:10:40Z","history_expires_at":"2027-01-31T23:10:40Z","results_pruned_at":null,"artifact_available":true,"artifact_json_url":"/client/jobs/019b7a3c-5f10-7c2e-9a41-2f6d0c8b1e55/results.json","artifact_size_bytes":1432,"artifact_uploaded_at":"2027-01-01T23:10:40Z","created_at":"2027-01-01T23:10:00Z","updated_at":"2027-01-01T23:10:40Z"}}}"#;

    #[test]
    fn a_job_of_relentless_identity_octet_by_octet() {
        use crate::facade::relentless::{terms::Prices, words::CatchAllPolicy};
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let id = "019b7a3c-5f10-7c2e-9a41-2f6d0c8b1e55".parse().unwrap();
        let url = "https://example.com/callbacks/relentless";
        let job = JobRow {
            id,
            client: Uuid::nil(),
            facade: relentless::WORD.into(),
            source: "probe_batch".into(),
            filename: None,
            callback: Some(keys().seal(Row::Callback { job: id }, url.as_bytes())),
            is_told: false,
            state: "completed".into(),
            pipeline: "verify".into(),
            items: 2,
            done: 2,
            created_at: at("2027-01-01T23:10:00.3Z"),
            deadline_at: at("2027-01-02T00:00:00Z"),
            started_at: Some(at("2027-01-01T23:10:02Z")),
            ended_at: Some(at("2027-01-01T23:10:40.9Z")),
            left_over: None,
            counts: Some(vec![1, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            expires_at: at("2027-01-31T23:10:40.9Z"),
            pruned_at: None,
            is_expired: false,
        };
        let terms = Terms::new(3, 1, CatchAllPolicy::Review, Prices::default());
        let providers = [("google".to_owned(), 2)].into();
        let closing = Closing { providers, artifact_size: Some(1432) };
        let new = of_job(&keys(), &job, Some((&terms, &closing))).unwrap().unwrap();
        let message = Message::open(&keys(), new.id, &new.sealed).unwrap();
        assert_eq!((&*message.url, &*message.body), (url, RELENTLESS));
        let canceled = JobRow { left_over: Some("canceled".into()), state: "canceled".into(), ..job.clone() };
        let new = of_job(&keys(), &canceled, Some((&terms, &closing))).unwrap().unwrap();
        let message = Message::open(&keys(), new.id, &new.sealed).unwrap();
        assert!(message.body.starts_with(r#"{"type":"job.canceled""#), "{}", message.body);
        assert!(message.body.contains(r#""status":"canceled""#), "{}", message.body);
        assert!(of_job(&keys(), &JobRow { callback: None, ..job }, None).unwrap().is_none());
    }
}
