//! The courier: makes the request of one try. It heeds no redirect and no proxy of the environment, connects to what was
//! checked at that moment, reads little of the answer, and does not wait for long.

use std::{error::Error as _, sync::Arc, time::Duration};

use anyhow::Result;
use jiff::Timestamp;
use mailsonde_engine::Resolver;
use reqwest::{
    Client, Response,
    header::{RETRY_AFTER, USER_AGENT as USER_AGENT_HEADER},
    redirect::Policy,
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{
    WebhooksConfig,
    answer::{Answer, retry_after},
    guard::{Target, check},
    lanes::Lanes,
    resolver::{Checked, NameError},
    secrets::Secret,
    signature::{sign, sign_body},
};
use crate::tls;

/// Octets of an answer's body that are read.
const ANSWER_MAX: usize = 4_096;

/// How long a body is waited for, which is only read to be shown.
const BODY_MAX: Duration = Duration::from_secs(2);

/// Lines of an answer's head that are read.
const HEADERS_MAX: usize = 100;

const USER_AGENT: &str = concat!("mailsonde/", env!("CARGO_PKG_VERSION"));

/// Whom receivers of tasks expect.
const TASKS_USER_AGENT: &str = "EmailVerification/1.0";

/// Takes messages to receivers. One per process.
pub(crate) struct Courier {
    client: Client,
    config: WebhooksConfig,
    pub(super) lanes: Arc<Lanes>,
}

/// One try.
pub(super) struct Parcel<'a> {
    /// The message's, the same at every try.
    pub(super) id: Uuid,
    pub(super) url: &'a str,
    pub(super) body: &'a str,
    pub(super) secrets: &'a [Secret],
    /// By the clock of the database.
    pub(super) now: Timestamp,
    /// It has the headers of that product too.
    pub(super) is_of_tasks: bool,
}

impl Courier {
    /// # Errors
    /// A `ca_file` that cannot be used.
    pub(crate) fn new(config: WebhooksConfig, resolver: Arc<dyn Resolver>) -> Result<Self> {
        let checked = Checked { resolver, destinations: config.destinations };
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client("webhooks", &config.ca_file)?)
            .dns_resolver(Arc::new(checked))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            // Each try connects anew, so each is checked.
            .pool_max_idle_per_host(0)
            .user_agent(USER_AGENT)
            .build()?;
        let lanes = Lanes::new(config.per_host_max, config.at_once_max);
        Ok(Self { client, config, lanes })
    }

    /// Hands it over, if there is somebody to take it.
    pub(super) async fn hand_over(&self, parcel: &Parcel<'_>) -> Answer {
        let target = match check(parcel.url, &self.config) {
            Ok(target) => target,
            Err(why) => return Answer::Silence(why.to_string()),
        };
        let until = Instant::now() + self.config.timeout;
        match timeout_at(until, self.request(parcel, &target)).await {
            Ok(Ok(response)) => read(response, until).await,
            Ok(Err(error)) => Answer::Silence(why(&error)),
            Err(_) => silence_for(self.config.timeout),
        }
    }

    async fn request(&self, parcel: &Parcel<'_>, target: &Target) -> reqwest::Result<Response> {
        let (id, timestamp) = (parcel.id.to_string(), parcel.now.as_second());
        let mut request = self
            .client
            .post(target.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp);
        if let Some(signature) = sign(parcel.secrets, &id, timestamp, parcel.body.as_bytes()) {
            request = request.header("webhook-signature", signature);
        }
        if parcel.is_of_tasks {
            // That product's own headers: its id is another one at each try.
            request = request
                .header(USER_AGENT_HEADER, TASKS_USER_AGENT)
                .header("x-webhook-id", Uuid::now_v7().to_string())
                .header("x-webhook-timestamp", timestamp);
            if let Some(signature) = sign_body(parcel.secrets, parcel.body.as_bytes()) {
                request = request.header("x-webhook-signature", signature);
            }
        }
        request.body(parcel.body.to_owned()).send().await
    }
}

/// The head, and as much of the body as comes soon. The head has said what there is to say: a body that breaks off
/// changes nothing.
async fn read(mut response: Response, until: Instant) -> Answer {
    let status = response.status().as_u16();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry_after(value, Timestamp::now()));
    let until = until.min(Instant::now() + BODY_MAX);
    let mut text = Vec::new();
    // Of an answer that is good nobody reads more.
    while !(200..300).contains(&status)
        && text.len() < ANSWER_MAX
        && let Ok(Ok(Some(octets))) = timeout_at(until, response.chunk()).await
    {
        text.extend_from_slice(&octets[..octets.len().min(ANSWER_MAX - text.len())]);
    }
    Answer::Http { status, retry_after, text }
}

fn silence_for(limit: Duration) -> Answer {
    Answer::Silence(format!("no answer within {}", humantime::format_duration(limit)))
}

/// Why there was no answer, without the address.
fn why(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut last = None;
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<NameError>() {
            return error.to_string();
        }
        last = Some(error.to_string());
        cause = error.source();
    }
    let what = if error.is_connect() { "no connection" } else { "no answer" };
    last.map_or_else(|| what.to_owned(), |last| format!("{what}: {last}"))
}
