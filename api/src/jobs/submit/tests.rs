//! What a job is weighed against, in a real store.

use std::{ops::Range, sync::Arc};

use mailsonde_config::Settings;

use super::*;
use crate::jobs::{
    plan::cut::{ASKS_OF_A_PERSON, MIXED},
    rows::items as stored_items,
    testing::{claim, deferred, judged, new_job, write_part},
};
use crate::store::{
    LOCAL_CLIENT, Shared,
    capacity::{self, CapacityRow},
    idempotency,
    relentless::Limits,
    testing,
};

async fn store() -> (Shared, JobsConfig, Site) {
    let settings = Settings::load(None).unwrap();
    let config: JobsConfig = settings.section("jobs").unwrap();
    let site = Site::new(&settings, &config).unwrap();
    (Arc::new(testing::store().await), config, site)
}

fn request(domain: &str, rows: Range<u32>, window: Duration) -> Request {
    Request {
        id: new_id(),
        client: LOCAL_CLIENT,
        facade: LOCAL,
        source: Source::LIST,
        callback: None,
        pipeline: "default".into(),
        skips: Vec::new(),
        asks: true,
        window: Some(window),
        deadline: None,
        retention: None,
        is_billed: false,
        inputs: rows.map(|row| format!("user{row}@{domain}")).collect(),
        sheet: None,
        answer: None,
        terms: None,
    }
}

async fn run(store: &Shared, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

async fn backlog(store: &Shared) -> (Timestamp, Vec<Backlog>) {
    let mut connection = store.request().await.unwrap();
    let job = new_job(store, LOCAL_CLIENT, new_id(), &[]);
    let submission = Draft::write(&mut connection, &job).await.unwrap().take_turn().await.unwrap();
    (submission.now, submission.backlog().await.unwrap())
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn the_room_of_a_file_is_taken_as_long_as_something_of_its_job_is_held() {
    let room = Arc::new(());
    let sheet = Sheet { layout: vec![1], pieces: Vec::new(), room: Some(Box::new(room.clone())) };
    let request = Request { sheet: Some(sheet), ..request("example.com", 0..2, HOUR) };
    let prepared = Prepared::of(&testing::keys(), HOUR, request);
    assert_eq!((prepared.job.chunks.len(), Arc::strong_count(&room)), (1, 2));
    drop(prepared);
    assert_eq!(Arc::strong_count(&room), 1);
}

#[tokio::test]
async fn an_operator_that_was_heard_to_be_slow_has_less_room() {
    let (store, config, site) = store().await;
    let job = || request("gmail.com", 0..2_000, HOUR / 2);
    submit(&store, &config, &site, job()).await.unwrap();
    let slow =
        |now, row: CapacityRow| CapacityRow { lately: 0.1, heard_at: now, slow_since: Some(now), ..row };
    let fresh = CapacityRow {
        usual: 5.0,
        lately: 5.0,
        again: 0.02,
        heard_seconds: 0.0,
        heard_at: Timestamp::UNIX_EPOCH,
        slow_since: None,
    };
    capacity::learn(&mut store.worker().await.unwrap(), "gmail", fresh, slow).await.unwrap();
    let late = submit(&store, &config, &site, job()).await;
    let Err(SubmitError::Late(Some(earliest))) = late else { panic!("{late:?}") };
    assert!(earliest > SignedDuration::try_from(HOUR / 2).unwrap());
    // Others are not concerned.
    submit(&store, &config, &site, request("yahoo.com", 0..2_000, HOUR / 2)).await.unwrap();
}

#[tokio::test]
async fn what_is_at_work_stands_first_and_verdicts_that_are_there_take_no_time() {
    let (store, config, site) = store().await;
    submit(&store, &config, &site, request("gmail.com", 0..2_000, HOUR)).await.unwrap();
    run(
        &store,
        "update task set state = 'running' where chunk = 3;
         update task set deadline_at = now() - interval '1 minute' where chunk = 2;
         insert into part select job, no, 0, 1, 120, '{}', '' from chunk where no = 3;
         insert into part select job, no, 1, 1, 30, '{}', '' from chunk where no = 3;
         insert into part select job, no, 0, 1, 500, '{}', '' from chunk where no = 1;",
    )
    .await;
    let (now, waiting) = backlog(&store).await;
    let asks: Vec<u32> = waiting.iter().map(|chunk| chunk.asks).collect();
    assert_eq!(asks, [350, 500, 500, 0], "3 at work, 2 overdue, 0, 1");
    assert_eq!((waiting[0].turn_at, waiting[1].turn_at), (now, now));
    assert!(waiting.is_sorted_by_key(|chunk| chunk.turn_at) && waiting[2].turn_at > now);
}

/// The same with people instead of addresses.
fn people(request: Request) -> Request {
    let person = |input: &String| input.replace('@', " Doe\t");
    Request { inputs: request.inputs.iter().map(person).collect(), ..request }
}

#[tokio::test]
async fn people_are_promised_no_sooner_than_all_who_are_asked_about_for_them() {
    let (store, config, site) = store().await;
    // A domain that bears ten recipients a second.
    let job = |window| request("example.com", 0..2_000, window);
    submit(&store, &config, &site, job(HOUR / 2)).await.unwrap();
    run(&store, "update job set state = 'paused'").await;
    let late = submit(&store, &config, &site, people(job(HOUR / 2))).await;
    let Err(SubmitError::Late(Some(earliest))) = late else { panic!("{late:?}") };
    assert!(earliest > SignedDuration::from_secs(i64::from(ASKS_OF_A_PERSON) * 2_000 / 10), "{earliest:?}");
    let earliest = Duration::try_from(earliest).unwrap() + Duration::from_secs(1);
    submit(&store, &config, &site, people(job(earliest))).await.unwrap();
}

#[tokio::test]
async fn who_waits_weighs_as_much_as_is_asked_because_of_him() {
    let (store, config, site) = store().await;
    submit(&store, &config, &site, request("a.example", 0..20, HOUR)).await.unwrap();
    submit(&store, &config, &site, people(request("b.example", 0..20, 2 * HOUR))).await.unwrap();
    // Of a time before it was counted.
    submit(&store, &config, &site, people(request("c.example", 0..20, 8 * HOUR))).await.unwrap();
    run(&store, "update chunk set asks = null where operator = 'c.example'").await;
    let asks = async || -> Vec<(String, u32)> {
        backlog(&store).await.1.into_iter().map(|chunk| (chunk.operator, chunk.asks)).collect()
    };
    let [a, b, c] = [(MIXED, 20), ("b.example", 180), ("c.example", 20)].map(|(who, n)| (who.to_owned(), n));
    assert_eq!(asks().await, [a, b, c.clone()]);
    run(
        &store,
        "insert into part select job, no, 0, 1, 15, '{}', '' from chunk where operator <> 'c.example'",
    )
    .await;
    let [a, b] = [(MIXED, 5), ("b.example", 45)].map(|(who, n)| (who.to_owned(), n));
    assert_eq!(asks().await, [a, b, c]);
}

#[tokio::test]
async fn a_person_who_comes_back_weighs_as_much_again() {
    let store: Shared = Arc::new(testing::store_without_tasks().await);
    let inputs = ["jane@example.com", "John Doe\texample.com"];
    crate::jobs::testing::submit(&store, LOCAL_CLIENT, &inputs).await;
    let task = claim(&store).await;
    let again = deferred(&store, 1, &[(2, inputs[1])]);
    write_part(&store, &task, 0, &[judged(1, inputs[0])], Some(&[again])).await.unwrap();
    let asks: Vec<_> = backlog(&store).await.1.iter().map(|chunk| (chunk.round, chunk.asks)).collect();
    assert_eq!(asks, [(1, ASKS_OF_A_PERSON)]);
}

#[test]
fn who_is_asked_about_counts_and_others_cost_nothing() {
    let inputs: Vec<String> = ["a@gmail.com", "nobody", "no domain"].map(Into::into).into();
    let counts = |cuts: &[Chunk]| cuts.iter().map(asks).collect::<Vec<_>>();
    assert_eq!(counts(&cut_by_operator(&inputs, &vec![None; inputs.len()])), [1]);
    assert_eq!(counts(&cut_offline(501)), [500, 1]);
}

#[test]
fn nobody_is_asked_about_a_duplicate() {
    let inputs: Vec<String> =
        ["a@gmail.com", "A@gmail.com", "a@GMAIL.com", "b@gmail.com"].map(Into::into).into();
    let duplicates = duplicates::mark(&inputs);
    let cuts = cut_by_operator(&inputs, &duplicates);
    assert_eq!((cuts.len(), cuts[0].asks, &*cuts[0].rows), (1, 2, &[0, 1, 2, 3][..]));
    let keys = testing::keys();
    let tokens = tokens(&keys, LOCAL_CLIENT, inputs.iter().map(String::as_str));
    let (job, chunks) =
        (Uuid::from_u128(7), seal(&keys, Uuid::from_u128(7), &inputs, &tokens, &cuts, &duplicates));
    let plain = keys.open(Row::Chunk { job, no: 0 }, &chunks[0].sealed).unwrap();
    let of: Vec<_> = stored_items::read(&plain).unwrap().iter().map(|item| item.duplicate_of).collect();
    assert_eq!(of, [None, Some(1), Some(1), None]);
}

#[tokio::test]
async fn a_job_that_its_client_cannot_pay_for_leaves_nothing_behind() {
    let (store, config, site) = store().await;
    let client = Uuid::from_u128(7);
    run(
        &store,
        "insert into client (id, name, monthly_quota, hard_cap)
         values ('00000000-0000-0000-0000-000000000007', 'capped', 3, true)",
    )
    .await;
    let job = |inputs: &[&str]| Request {
        client,
        is_billed: true,
        asks: false,
        inputs: inputs.iter().map(|input| (*input).into()).collect(),
        ..request("", 0..0, HOUR)
    };
    let four = ["a@gmail.com", "b@gmail.com", "c@gmail.com", "d@gmail.com"];
    let overdrawn = |used, remaining| Overdrawn { used, monthly_quota: 3, remaining };
    let refused = submit(&store, &config, &site, job(&four)).await;
    assert!(matches!(refused, Err(SubmitError::Overdrawn(error)) if error == overdrawn(0, 3)), "{refused:?}");
    // Others of the same address, and rows without one, cost nothing; what is no address does.
    let three = ["a@gmail.com", "A@gmail.com ", "", "b@gmail.com", "no address", " "];
    submit(&store, &config, &site, job(&three)).await.unwrap();
    let refused = submit(&store, &config, &site, job(&["x"])).await;
    assert!(matches!(refused, Err(SubmitError::Overdrawn(error)) if error == overdrawn(3, 0)), "{refused:?}");
    submit(&store, &config, &site, job(&["", " "])).await.unwrap();
    submit(&store, &config, &site, Request { is_billed: false, ..job(&four) }).await.unwrap();
    let kept = "select (select count(*) from job), (select count(*) from reservation), sum(reserved)::bigint from usage";
    let row = store.worker().await.unwrap().query_one(kept, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (3, 2, 3));
}

#[tokio::test]
async fn of_jobs_that_come_at_once_no_more_are_taken_than_can_be_paid_for() {
    let (store, config, site) = store().await;
    run(&store, "update client set monthly_quota = 25, hard_cap = true where name = 'local'").await;
    let job = |no: u32| Request {
        is_billed: true,
        asks: false,
        ..request("gmail.com", no * 10..no * 10 + 10, HOUR)
    };
    let taken =
        futures_util::future::join_all((0..4).map(|no| submit(&store, &config, &site, job(no)))).await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 2, "{taken:?}");
    let is_overdrawn = |taken: &Result<Uuid, SubmitError>| matches!(taken, Err(SubmitError::Overdrawn(_)));
    assert_eq!(taken.iter().filter(|taken| is_overdrawn(taken)).count(), 2, "{taken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_jobs_that_come_at_once_no_more_are_taken_than_their_limits_allow() {
    let (store, config, site) = store().await;
    let roomy = Limits { window_hours: 5, in_window: 1_000, in_week: 1_000, in_cycle: None };
    let limits = [
        Limits { in_window: 25, ..roomy },
        Limits { in_week: 29, ..roomy },
        Limits { in_cycle: Some(290), ..roomy },
    ];
    for limits in limits {
        run(&store, "delete from job").await;
        let job = |no: u32| Request {
            facade: Facade::Relentless.word(),
            asks: false,
            terms: Some(NewTerms {
                terms: String::new(),
                reserved_micros: 100,
                header: HOUR,
                limits: Some(limits),
            }),
            ..request("gmail.com", no * 10..no * 10 + 10, HOUR)
        };
        let submitted = (0..4).map(|no| {
            let (store, config, site, job) = (store.clone(), config.clone(), site.clone(), job(no));
            tokio::spawn(async move { submit(&store, &config, &site, job).await })
        });
        let taken = futures_util::future::join_all(submitted).await;
        let taken: Vec<_> = taken.into_iter().map(Result::unwrap).collect();
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 2, "{limits:?}: {taken:?}");
        let is_exhausted = |taken: &&Result<Uuid, SubmitError>| matches!(taken, Err(SubmitError::Exhausted));
        assert_eq!(taken.iter().filter(is_exhausted).count(), 2, "{taken:?}");
    }
    // Who is refused leaves nothing behind.
    let kept = "select (select count(*) from job), (select count(distinct job) from chunk where job in (select id from job))";
    let row = store.worker().await.unwrap().query_one(kept, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (2, 2));
}

#[tokio::test]
async fn an_answer_is_kept_with_the_job_or_not_at_all() {
    use idempotency::{Claimed, claim};

    let (store, config, site) = store().await;
    run(&store, "update client set monthly_quota = 2, hard_cap = true where name = 'local'").await;
    let client = store.worker().await.unwrap();
    let claim = async || claim(&client, LOCAL_CLIENT, b"key", HOUR).await.unwrap();
    let Claimed::Ours(ours) = claim().await else { panic!("it is nobody's yet") };
    let job = |rows| Request {
        is_billed: true,
        asks: false,
        answer: Some(Answer {
            claim: ours.clone(),
            request: b"body".into(),
            status: 202,
            sealed: b"answer".into(),
            tokens: Vec::new(),
            time: HOUR,
        }),
        ..request("example.com", rows, HOUR)
    };
    let refused = submit(&store, &config, &site, job(0..3)).await;
    assert!(matches!(refused, Err(SubmitError::Overdrawn(_))), "{refused:?}");
    assert_eq!(claim().await, Claimed::Running);
    submit(&store, &config, &site, job(0..2)).await.unwrap();
    let answered = Claimed::Answered { request: b"body".into(), status: 202, sealed: b"answer".into() };
    assert_eq!(claim().await, answered);
    // Who was too slow has done nothing: the other one has.
    run(&store, "update client set monthly_quota = null").await;
    let late = submit(&store, &config, &site, job(0..2)).await;
    assert!(matches!(late, Err(SubmitError::Store(StoreError::Fenced))), "{late:?}");
    let jobs = client.query_one("select count(*) from job", &[]).await.unwrap();
    assert_eq!(jobs.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn a_job_knows_what_it_was_made_from() {
    let (store, config, site) = store().await;
    let of_file = Source { word: "csv", filename: Some("jane@example.com.csv".into()) };
    let of_file = Request { source: of_file, ..request("example.com", 0..1, HOUR) };
    let id = submit(&store, &config, &site, of_file).await.unwrap();
    let list = submit(&store, &config, &site, request("example.com", 0..1, HOUR)).await.unwrap();
    let client = store.worker().await.unwrap();
    let [file, list] = [id, list].map(|id| crate::store::jobs::job(&client, id));
    let (file, list) = (file.await.unwrap().unwrap(), list.await.unwrap().unwrap());
    assert_eq!(file.source, "csv");
    assert_eq!(file.filename(store.keys()).unwrap().as_deref(), Some("jane@example.com.csv"));
    assert!(!file.filename.unwrap().windows(4).any(|four| four == b"jane"));
    assert_eq!((&*list.source, list.filename(store.keys()).unwrap()), ("batch", None));
}
