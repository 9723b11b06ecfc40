//! What is left of jobs that were kept long enough.

use mailsonde_engine::Category;
use uuid::Uuid;

use super::*;
use crate::{
    jobs::{
        ending,
        rows::outcomes::Outcome,
        testing::{claim, judged, messages, submit, submit_file, submit_task, write_part},
    },
    store::{
        LOCAL_CLIENT,
        jobs::End,
        sheets,
        testing::{store_without_tasks as store, telling_each},
    },
};

const INPUTS: [&str; 3] = ["jane@example.com", "joe@example.com", "jim@example.com"];
const DAY: Duration = Duration::from_hours(24);

/// So long ago that nobody reads any more.
const EXPIRED: &str = "expires_at = now() - interval '62 minutes'";

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

/// A job with two verdicts, which ended before there was a third.
async fn ended(store: &Store) -> Uuid {
    let job = submit(store, LOCAL_CLIENT, &INPUTS).await;
    let task = claim(store).await;
    write_part(store, &task, 0, &[judged(1, INPUTS[0]), judged(2, INPUTS[1])], None).await.unwrap();
    assert!(ending::end(store, job, End::DeadlinePassed).await.unwrap());
    job
}

async fn told(store: &Store, job: Uuid) -> Vec<Outcome> {
    let mut client = store.worker().await.unwrap();
    let (job, contents) = jobs::kept(&mut client, job).await.unwrap().unwrap();
    results::outcomes(store.keys(), &job, &contents).unwrap()
}

fn inputs(outcomes: &[Outcome]) -> Vec<Option<&str>> {
    outcomes.iter().map(|outcome| outcome.input.as_deref()).collect()
}

#[tokio::test]
async fn of_a_product_that_tells_of_them_later_rows_stay_and_nobody_is_named() {
    let store = store().await;
    let job = ended(&store).await;
    run(&store, "update job set facade = 'email-verifier', expires_at = now() + interval '1 hour'").await;
    let before = told(&store, job).await;
    assert_eq!(inputs(&before), INPUTS.map(Some));
    let categories: Vec<_> = before.iter().map(|outcome| outcome.said.category).collect();
    assert_eq!(categories, [Category::Risky, Category::Risky, Category::Unknown]);
    assert_eq!(before[2].said.reason.as_deref(), Some("deadline_passed"));
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 0 });

    // When it has expired, nobody waits for the hourly task.
    run(&store, "update job set expires_at = now() - interval '1 second'").await;
    let without_inputs: Vec<_> =
        before.into_iter().map(|outcome| Outcome { input: None, ..outcome }).collect();
    assert_eq!(told(&store, job).await, without_inputs);
    // Who has begun to read them reads on.
    run(&store, "update job set expires_at = now() - interval '1 hour'").await;
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 0 });
    run(&store, &format!("update job set {EXPIRED}")).await;
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 1 });
    let client = store.worker().await.unwrap();
    for table in ["chunk", "part"] {
        let rows = client.query(&format!("select from {table}"), &[]).await.unwrap();
        assert!(rows.is_empty(), "{table}");
    }
    assert_eq!(told(&store, job).await, without_inputs);

    // They go with the job.
    run(&store, "update job set deadline_at = now() - interval '2 days'").await;
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 0 });
    assert!(jobs::job(&client, job).await.unwrap().is_none());
}

#[tokio::test]
async fn of_other_jobs_nothing_is_left_but_that_they_were() {
    let store = store().await;
    let job = ended(&store).await;
    run(&store, &format!("update job set {EXPIRED}")).await;
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 1 });
    assert_eq!(told(&store, job).await, []);
    let outcomes = store.worker().await.unwrap().query_one("select outcomes from job", &[]).await.unwrap();
    assert_eq!(outcomes.get::<_, Option<Vec<u8>>>(0), None);
}

#[tokio::test]
async fn what_expires_between_is_left_for_the_next_time() {
    let store = store().await;
    let job = ended(&store).await;
    run(&store, &format!("update job set facade = 'email-verifier', {EXPIRED}")).await;
    let mut client = store.worker().await.unwrap();
    let stay = Stay { expired: READ_OUT, headers: DAY };
    assert_eq!(retention::prune(&mut client, stay, message_id).await.unwrap(), Pruned { jobs: 0 });
    assert_eq!(told(&store, job).await.len(), 3);
}

#[tokio::test]
async fn what_tells_of_a_row_alone_goes_with_it() {
    let store = telling_each(store().await);
    let url = "https://hooks.example.com/a";
    let [old, young] =
        [submit_task(&store, &[&INPUTS], url).await, submit_task(&store, &[&INPUTS], url).await];
    for job in [old, young] {
        let verdicts = [judged(1, INPUTS[0]), judged(2, INPUTS[1])];
        write_part(&store, &claim(&store).await, 0, &verdicts, None).await.unwrap();
        assert!(ending::end(&store, job, End::DeadlinePassed).await.unwrap());
    }
    // One that nobody took is there without its text, and what its receiver said.
    let failed = format!("state = 'failed', sealed = '', error = 'x' where id = '{}'", message_id(old, 2));
    run(&store, &format!("update webhook set {failed}")).await;
    run(&store, &format!("update job set {EXPIRED} where id = '{old}'")).await;
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 1 });
    let of_rows = |job| (1..=3).map(move |row| message_id(job, row));
    let left = messages(&store).await;
    assert!(of_rows(young).all(|id| left.contains_key(&id)) && left.len() == 5, "two tell of ends");
    let client = store.worker().await.unwrap();
    for left in ["select id from webhook", "select webhook from task where kind = 'webhook'"] {
        let ids: Vec<Uuid> = client.query(left, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert!(ids.len() == 5 && of_rows(old).all(|id| !ids.contains(&id)), "{left}");
    }
}

#[tokio::test]
async fn files_go_with_the_rows_of_their_jobs() {
    let store = store().await;
    let [job, other] = [
        submit_file(&store, LOCAL_CLIENT, b"email,note\njane@example.com,1\n").await,
        submit_file(&store, LOCAL_CLIENT, b"email\njoe@example.com\n").await,
    ];
    assert!(ending::end(&store, job, End::DeadlinePassed).await.unwrap());
    let client = store.worker().await.unwrap();
    client.execute(&format!("update job set {EXPIRED} where id = $1"), &[&job]).await.unwrap();
    assert_eq!(prune(&store, DAY).await.unwrap(), Pruned { jobs: 1 });
    assert_eq!(sheets::spans(&client, job).await.unwrap(), []);
    assert_eq!(sheets::layout(&client, job).await.unwrap(), None);
    assert!(sheets::piece(&client, job, 0).await.unwrap().is_none());
    assert_eq!(sheets::spans(&client, other).await.unwrap().len(), 1);
    assert!(sheets::layout(&client, other).await.unwrap().is_some());
    // Whoever deletes a job by hand leaves none of its file.
    client.execute("delete from job where id = $1", &[&other]).await.unwrap();
    assert_eq!(sheets::spans(&client, other).await.unwrap(), []);
}
