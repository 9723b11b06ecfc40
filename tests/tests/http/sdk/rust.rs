//! The same client in Rust, as its makers publish it: it holds numbers in 32 bits and knows no words but its own, so it fails
//! where others take what they are given.

use std::time::Duration;

use mailsonde_tests::site::{LIMIT, Site, served::Served};
use relentless_identity::{
    apis::{account_api, configuration::Configuration, finder_api, jobs_api, probe_api},
    models::{
        ClientBackgroundJobDetailResponse, FinderBatchJobRequest, FinderBatchJobRequestInputsInner,
        FinderRequest, ProbeBatchJobBackgroundRequest, ProbeBatchRequest, ProbeRequest,
        client_background_job_response::Status,
        client_finder_response::Outcome as FinderOutcome,
        client_identity_response::{Outcome, State},
    },
};
use tokio::{
    runtime,
    time::{Instant, sleep},
};

use super::{deadline, internet, token};

/// How often a job is asked whether it has ended, as clients do that are not told.
const POLL: Duration = Duration::from_millis(200);

fn client(served: &Served, token: &str) -> Configuration {
    // It is built with TLS where others of this workspace are, used or not, and TLS wants to know whose ciphers to use. A
    // second time changes nothing.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    Configuration {
        base_path: format!("http://{}", served.address),
        bearer_access_token: Some(token.to_owned()),
        ..Configuration::new()
    }
}

/// A job that has ended, with its items.
async fn ended(client: &Configuration, job: &str) -> ClientBackgroundJobDetailResponse {
    let until = Instant::now() + LIMIT;
    loop {
        let detail = jobs_api::get_job(client, job, None, None).await.unwrap();
        if detail.job.status == Status::Completed {
            return detail;
        }
        assert!(Instant::now() < until, "{detail:#?}");
        sleep(POLL).await;
    }
}

#[test]
fn the_published_client_in_rust_understands_every_answer() {
    let net = internet();
    let site = Site::with(net.environment());
    let token = token(&site, "acme");
    let served = site.serve();
    let client = client(&served, &token);
    let deadline = deadline(&site, 10);
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        at_once(&client).await;
        in_the_background(&client, &deadline).await;
    });
}

async fn at_once(client: &Configuration) {
    let status = account_api::get_token_status(client).await.unwrap();
    assert_eq!(status.valid, Some(true), "{status:?}");
    let jane = FinderRequest::new("Jane Doe".to_owned(), "acme.test".to_owned());
    let found = finder_api::finder_attempt(client, jane).await.unwrap();
    assert_eq!(found.outcome, Some(FinderOutcome::Found), "{found:?}");
    let probed =
        probe_api::probe_email(client, ProbeRequest::new("jane.doe@acme.test".to_owned())).await.unwrap();
    assert_eq!((probed.state, probed.outcome), (State::Deliverable, Some(Outcome::Found)), "{probed:?}");
    let emails = ["jane.doe@all.test", "nobody.here@acme.test"].map(str::to_owned);
    let batch = probe_api::probe_batch(client, ProbeBatchRequest::new(emails.into())).await.unwrap();
    let outcomes: Vec<_> = batch.results.iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Some(Outcome::Error), Some(Outcome::NotFound)], "{batch:?}");
    let history = account_api::get_request_history(client, Some(1), Some(25), None, None).await.unwrap();
    assert_eq!(history.total, 4, "{history:?}");
    account_api::get_usage(client).await.unwrap();
}

async fn in_the_background(client: &Configuration, deadline: &str) {
    let person = FinderBatchJobRequestInputsInner::new("Jane Doe".to_owned(), "acme.test".to_owned());
    let mut request = FinderBatchJobRequest::new(vec![person]);
    request.deadline = Some(deadline.to_owned());
    let finder = jobs_api::schedule_finder_batch(client, request).await.unwrap();
    let mut request = ProbeBatchJobBackgroundRequest::new(vec!["jane.doe@acme.test".to_owned()]);
    request.deadline = Some(deadline.to_owned());
    let probes = jobs_api::schedule_probe_batch(client, request).await.unwrap();
    for job in [&finder.id, &probes.id] {
        let detail = ended(client, job).await;
        assert_eq!((detail.total_items, detail.job.success_count), (1, 1), "{detail:?}");
        let address = detail.items[0].resolved_address.clone().flatten();
        assert_eq!(address.as_deref(), Some("jane.doe@acme.test"), "{detail:?}");
        let inputs = jobs_api::get_job_inputs_text(client, job, None, None).await.unwrap();
        assert_eq!(inputs.lines().count(), 1, "{inputs}");
        let artifact = jobs_api::get_job_results_json(client, job, None, None).await.unwrap();
        assert_eq!(artifact["job"]["id"], **job, "{artifact}");
        let text = jobs_api::get_job_results_text(client, job, None, None).await.unwrap();
        assert!(text.ends_with("\tdeliverable\tfound\tjane.doe@acme.test\n"), "{text}");
    }
    let list = jobs_api::list_jobs(client, None, None, None, Some("completed")).await.unwrap();
    assert_eq!(list.total, 2, "{list:?}");
}
