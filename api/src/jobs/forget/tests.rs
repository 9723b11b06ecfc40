//! People who are removed from jobs that wait, are at work or have ended.

use std::{collections::BTreeMap, fmt::Write as _};

use jiff::Timestamp;
use mailsonde_engine::{Category, Verdict};
use uuid::Uuid;

use super::*;
use crate::{
    jobs::{
        ending,
        item_id::message_id,
        results,
        rows::sheet,
        testing::{claim, judged, messages, submit, submit_file, submit_task, write, write_part},
    },
    store::{
        LOCAL_CLIENT, OWN_CLIENT, chunks,
        history::Refusal,
        jobs::{End, contents, job, pause},
        sheets,
        testing::{self, store_without_tasks as store, telling_each},
    },
};

const JANE: &str = "jane@example.com";
const OTHER_KEY: &str = "00000002 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

fn jane() -> Address {
    Address::new("jane", "example.com")
}

/// What there is to read of a job: inputs, addresses, categories, and how many findings.
async fn told(store: &Store, id: Uuid) -> Vec<(String, Option<String>, Category, usize)> {
    let contents = contents(&store.worker().await.unwrap(), id).await.unwrap();
    let verdicts = results::open(store.keys(), id, &contents, None).unwrap();
    let tell = |judged: Judged| {
        let Verdict { input, address, judgement, evidence, .. } = judged.verdict;
        let address = address.map(|address| address.as_str().to_owned());
        (input.into(), address, judgement.category, evidence.findings.len())
    };
    verdicts.into_iter().map(tell).collect()
}

async fn inputs(store: &Store, job: Uuid) -> Vec<String> {
    let id = ChunkId { job, no: 0 };
    let stored = chunks::chunk(&store.worker().await.unwrap(), id).await.unwrap().unwrap();
    let plain = store.keys().open(Row::Chunk { job, no: 0 }, &stored.sealed).unwrap();
    items::read(&plain).unwrap().into_iter().map(|item| item.input.into()).collect()
}

#[tokio::test]
async fn nothing_but_the_category_is_left_of_a_person() {
    let store = store().await;
    let job_id = submit(&store, LOCAL_CLIENT, &["joe@example.com", JANE, "JANE@EXAMPLE.com"]).await;
    let task = claim(&store).await;
    let verdicts = [judged(1, "joe@example.com"), judged(2, JANE), judged(3, "JANE@example.com")];
    write(&store, &task, &verdicts).await.unwrap();
    let refusal = Refusal {
        address: jane(),
        source: mailsonde_engine::HistorySource::Bounce,
        seen_at: Timestamp::now(),
    };
    let client = store.worker().await.unwrap();
    history::remember(&client, store.keys(), &[refusal]).await.unwrap();
    let before = job(&client, job_id).await.unwrap().unwrap().done;

    assert_eq!(
        forget(&store, &jane()).await.unwrap(),
        Forgotten { history: 1, rows: 2, answers: 0, requests: 0 }
    );
    let joe = "joe@example.com".to_owned();
    let nobody = (String::new(), None, Category::Risky, 0);
    assert_eq!(
        told(&store, job_id).await,
        [(joe.clone(), Some(joe), Category::Risky, 1), nobody.clone(), nobody]
    );
    assert_eq!(job(&client, job_id).await.unwrap().unwrap().done, before);
    let of_jane = tokens_of(store.keys(), LOCAL_CLIENT, &jane());
    let mut client = store.worker().await.unwrap();
    assert_eq!(holders(&mut client, LOCAL_CLIENT, &of_jane).await.unwrap(), []);
    assert_eq!(
        forget(&store, &jane()).await.unwrap(),
        Forgotten { history: 0, rows: 0, answers: 0, requests: 0 }
    );
}

#[tokio::test]
async fn all_clients_forget_and_others_stay() {
    let store = store().await;
    let ours = submit(&store, LOCAL_CLIENT, &[JANE, "jan@example.com"]).await;
    let theirs = submit(&store, OWN_CLIENT, &["ja\u{a0}ne", "Jane@example.com "]).await;
    let unrelated = submit(&store, LOCAL_CLIENT, &["jane@example.org"]).await;
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 2);
    assert_eq!(inputs(&store, ours).await, ["", "jan@example.com"]);
    assert_eq!(inputs(&store, theirs).await, ["ja\u{a0}ne", ""]);
    assert_eq!(inputs(&store, unrelated).await, ["jane@example.org"]);
}

#[tokio::test]
async fn who_is_at_work_does_not_bring_a_person_back() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE, "joe@example.com"]).await;
    let task = claim(&store).await;
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 1);
    let verdicts = [judged(1, JANE), judged(2, "joe@example.com")];
    assert!(matches!(write(&store, &task, &verdicts).await, Err(StoreError::Fenced)));
    // Somebody else does it, and nothing has failed.
    let again = claim(&store).await;
    assert_eq!((again.lease.task, again.attempt), (task.lease.task, 0));
    write(&store, &again, &[judged(2, "joe@example.com")]).await.unwrap();
    assert_eq!(told(&store, id).await.len(), 1);
    assert_eq!(inputs(&store, id).await, ["", "joe@example.com"]);
}

#[tokio::test]
async fn what_tells_of_a_persons_row_is_delivered_no_more() {
    let store = telling_each(store().await);
    let addresses: &[&str] = &[JANE, "joe@example.com", "JANE@example.com", "ann@example.com"];
    let id = submit_task(&store, &[addresses], "https://hooks.example.com/a").await;
    let verdicts = [judged(1, JANE), judged(2, "joe@example.com")];
    write_part(&store, &claim(&store).await, 0, &verdicts, None).await.unwrap();
    let client = store.worker().await.unwrap();
    // One of them is under way.
    client.batch_execute("update task set state = 'running' where kind = 'webhook'").await.unwrap();
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 2);
    let told = messages(&store).await;
    assert_eq!(told.keys().collect::<Vec<_>>(), [&message_id(id, 2)]);
    let tasks = "select string_agg(webhook::text, ' ') from task where kind = 'webhook'";
    let tasks: String = client.query_one(tasks, &[]).await.unwrap().get(0);
    assert_eq!(tasks, message_id(id, 2).to_string());
    // A row that had no verdict yet is told as it is then, and the one that had is told no more.
    assert!(ending::end(&store, id, End::DeadlinePassed).await.unwrap());
    let told = messages(&store).await;
    let rows: Vec<u32> = (1..=4).filter(|row| told.contains_key(&message_id(id, *row))).collect();
    assert_eq!(rows, [2, 3, 4]);
    assert!(told[&message_id(id, 3)].contains(r#""email_address":"""#), "{told:?}");
    assert!(!told.values().any(|body| body.to_lowercase().contains(JANE)), "{told:?}");
}

#[tokio::test]
async fn what_tells_of_a_tasks_end_names_a_person_no_more() {
    let store = store().await;
    let addresses: &[&str] = &[JANE, "joe@example.com"];
    let mut tasks = Vec::new();
    for addresses in [addresses, &addresses[1..]] {
        let id = submit_task(&store, &[addresses], "https://hooks.example.com/a").await;
        let verdicts: Vec<Judged> = (1..).zip(addresses).map(|(row, input)| judged(row, input)).collect();
        write(&store, &claim(&store).await, &verdicts).await.unwrap();
        assert!(ending::end(&store, id, End::Done).await.unwrap());
        tasks.push(id);
    }
    let before = messages(&store).await;
    let client = store.worker().await.unwrap();
    client.batch_execute("update webhook set error = 'x', attempts = 1").await.unwrap();
    forget(&store, &jane()).await.unwrap();
    let after = messages(&store).await;
    // Her receiver may have said whom it was told of.
    let said = client.query_one("select job from webhook where error is not null", &[]).await.unwrap();
    assert_eq!(said.get::<_, Uuid>(0), tasks[1]);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let of_task = |told: &BTreeMap<Uuid, String>, place: usize| {
        let start = format!(r#"{{"event_type":"email_verification_completed","task_id":"{}""#, tasks[place]);
        told.values().find(|body| body.starts_with(&start)).unwrap().clone()
    };
    assert_eq!(of_task(&before, 1), of_task(&after, 1));
    let (before, after) = (of_task(&before, 0), of_task(&after, 0));
    assert!(before.contains(JANE) && !after.contains("jane"), "{after}");
    let [before, mut after]: [serde_json::Value; 2] =
        [before, after].map(|body| serde_json::from_str(&body).unwrap());
    // The last row comes first.
    assert_eq!(after["data"]["jobs"][1]["email_address"], "");
    after["data"]["jobs"][1] = before["data"]["jobs"][1].clone();
    assert_eq!(after, before);
}

#[tokio::test]
async fn what_was_said_to_messages_that_are_over_goes_too() {
    let store = store().await;
    let id = submit_task(&store, &[&[JANE]], "https://hooks.example.com/a").await;
    write(&store, &claim(&store).await, &[judged(1, JANE)]).await.unwrap();
    assert!(ending::end(&store, id, End::Done).await.unwrap());
    let client = store.worker().await.unwrap();
    let over = "update webhook set state = 'failed', sealed = '', error = 'x'";
    client.batch_execute(over).await.unwrap();
    forget(&store, &jane()).await.unwrap();
    let said = client.query_one("select count(error), count(*) from webhook", &[]).await.unwrap();
    assert_eq!([said.get::<_, i64>(0), said.get(1)], [0, 1]);
}

#[tokio::test]
async fn what_cannot_be_told_anew_is_told_no_more() {
    // The address to tell at is needed to write a message anew.
    for damage in ["webhook set sealed = '' where job = $1", "job set callback = '' where id = $1"] {
        let store = store().await;
        let addresses: &[&[&str]] = &[&[JANE]];
        let mut tasks = Vec::new();
        for _ in 0..2 {
            let id = submit_task(&store, addresses, "https://hooks.example.com/a").await;
            write(&store, &claim(&store).await, &[judged(1, JANE)]).await.unwrap();
            assert!(ending::end(&store, id, End::Done).await.unwrap());
            tasks.push(id);
        }
        let client = store.worker().await.unwrap();
        client.execute(&format!("update {damage}"), &[&tasks[0]]).await.unwrap();
        assert_eq!(forget(&store, &jane()).await.unwrap().rows, 2, "{damage}");
        let left = messages(&store).await;
        assert_eq!(left.len(), 1, "{damage}");
        assert!(left.values().all(|body| body.contains(&tasks[1].to_string()) && !body.contains(JANE)));
        let waiting = "select count(*) from task where kind = 'webhook'";
        assert_eq!(client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), 1, "{damage}");
    }
}

#[tokio::test]
async fn the_task_of_a_paused_job_stays_held() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE]).await;
    let _at_work = claim(&store).await;
    let mut client = store.worker().await.unwrap();
    pause(&mut client, id).await.unwrap();
    forget(&store, &jane()).await.unwrap();
    let state = "select state || attempt from task where kind = 'chunk'";
    let state: String = client.query_one(state, &[]).await.unwrap().get(0);
    assert_eq!(state, "held0");
}

#[tokio::test]
async fn what_was_written_with_an_older_key_is_found() {
    let store = store().await;
    let id = submit(&store, LOCAL_CLIENT, &[JANE]).await;
    let keys = Keyring::from_text(&[testing::KEYS, OTHER_KEY].concat()).unwrap();
    let rotated = testing::another(&store, keys);
    assert_eq!(forget(&rotated, &jane()).await.unwrap().rows, 1);
    assert_eq!(inputs(&rotated, id).await, [""]);
    assert!(forget(&store, &jane()).await.is_ok(), "nothing of hers is there to be opened");
}

/// What a worker has heard of her, on its way into the memory; from the chunk as it was.
async fn learn(store: &Store, id: ChunkId, tokens: &[u8]) {
    let jane = jane();
    let learned = history::Learned { refused: vec![&jane], accepted: Vec::new() };
    let mut client = store.worker().await.unwrap();
    learned.write(&mut client, store.keys(), Timestamp::now(), id, tokens).await.unwrap();
}

async fn is_remembered(store: &Store) -> bool {
    let client = store.worker().await.unwrap();
    history::tests::recall(&client, store.keys(), &[&jane()]).await.unwrap()[0].is_some()
}

/// A chunk whose verdicts are written, its number, and its tokens from before.
async fn answered(store: &Store) -> (ChunkId, Vec<u8>) {
    submit(store, LOCAL_CLIENT, &[JANE]).await;
    let task = claim(store).await;
    let id = task.chunk.unwrap();
    let tokens = chunks::chunk(&store.worker().await.unwrap(), id).await.unwrap().unwrap().tokens;
    write(store, &task, &[judged(1, JANE)]).await.unwrap();
    (id, tokens)
}

#[tokio::test]
async fn what_was_heard_before_and_is_learned_after_is_not_remembered() {
    let store = store().await;
    let (id, tokens) = answered(&store).await;
    forget(&store, &jane()).await.unwrap();
    learn(&store, id, &tokens).await;
    assert!(!is_remembered(&store).await);
    // Who reads the chunk as it is now may.
    let (id, tokens) = answered(&store).await;
    learn(&store, id, &tokens).await;
    assert!(is_remembered(&store).await);
}

#[tokio::test]
async fn what_is_being_learned_is_waited_for_and_then_forgotten() {
    let store = std::sync::Arc::new(store().await);
    let (id, tokens) = answered(&store).await;
    // Learning comes as far as the memory.
    let mut other = store.worker().await.unwrap();
    let tx = other.transaction().await.unwrap();
    tx.batch_execute("lock table history in share mode").await.unwrap();
    let learning = tokio::spawn({
        let store = store.clone();
        async move { learn(&store, id, &tokens).await }
    });
    until_waits_for(&store, "relation").await;
    let forgetting = tokio::spawn({
        let store = store.clone();
        async move { forget(&store, &jane()).await.unwrap() }
    });
    until_waits_for(&store, "advisory").await;
    tx.rollback().await.unwrap();
    learning.await.unwrap();
    assert_eq!(forgetting.await.unwrap(), Forgotten { history: 1, rows: 1, answers: 0, requests: 0 });
    assert!(!is_remembered(&store).await);
}

/// Until somebody waits for a lock of this kind.
async fn until_waits_for(store: &Store, kind: &str) {
    let client = store.worker().await.unwrap();
    let waits = "select exists (select from pg_locks where locktype = $1 and not granted \
                 and database = (select oid from pg_database where datname = current_database()))";
    while !client.query_one(waits, &[&kind]).await.unwrap().get::<_, bool>(0) {}
}

#[tokio::test]
async fn answers_in_which_somebody_stands_are_not_given_again() {
    use idempotency::{Answer, Claimed, claim, keep};

    let store = store().await;
    let client = store.worker().await.unwrap();
    let minute = std::time::Duration::from_mins(1);
    for (key, input) in [(b"1", JANE), (b"2", "joe@example.com")] {
        let Claimed::Ours(claim) = claim(&client, LOCAL_CLIENT, key, minute).await.unwrap() else {
            panic!("it is nobody's yet")
        };
        let tokens = crate::jobs::person::tokens(store.keys(), LOCAL_CLIENT, [input].into_iter());
        let (request, sealed) = (Vec::new(), Vec::new());
        keep(&client, &Answer { claim, request, status: 200, sealed, tokens, time: minute }).await.unwrap();
    }
    assert_eq!(
        forget(&store, &jane()).await.unwrap(),
        Forgotten { history: 0, rows: 0, answers: 1, requests: 0 }
    );
    assert!(matches!(claim(&client, LOCAL_CLIENT, b"1", minute).await.unwrap(), Claimed::Ours(_)));
    assert!(matches!(claim(&client, LOCAL_CLIENT, b"2", minute).await.unwrap(), Claimed::Answered { .. }));
}

/// The file of a job as it is now, without its header, in pieces.
async fn file(store: &Store, job: Uuid) -> Vec<String> {
    let client = store.worker().await.unwrap();
    let mut pieces = Vec::new();
    for span in sheets::spans(&client, job).await.unwrap() {
        let sealed = sheets::piece(&client, job, span.no).await.unwrap().unwrap();
        let text = sheet::open_piece(store.keys(), job, span.no, &sealed).unwrap();
        assert_eq!(sheet::read(&text).unwrap().count(), span.rows as usize);
        let octets = sheet::read(&text).unwrap().flat_map(|row| [row.content, row.end].concat()).collect();
        pieces.push(String::from_utf8(octets).unwrap());
    }
    pieces
}

#[tokio::test]
async fn of_a_file_the_whole_row_goes_and_no_other_one_moves() {
    let store = store().await;
    let rows = "Joe;joe@example.com;1\n\
        \"Jane; of \"\"here\"\"\";\" JANE@example.com\";\"two\nlines\"\n\n\
        Jane;jane@EXAMPLE.com\nknows jane@example.com;ann@example.com;\n";
    let ours = submit_file(&store, LOCAL_CLIENT, format!("name;email;note\n{rows}").as_bytes()).await;
    let theirs = submit_file(&store, OWN_CLIENT, b"email\njane@example.com\nJo\xe9@example.com").await;
    let kept = "Joe;joe@example.com;1\n;;\n\n;\nknows jane@example.com;ann@example.com;\n";
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 3);
    assert_eq!(file(&store, ours).await, [kept]);
    let mut client = store.worker().await.unwrap();
    for client_of in [LOCAL_CLIENT, OWN_CLIENT] {
        let of_jane = tokens_of(store.keys(), client_of, &jane());
        assert_eq!(sheets::holders(&mut client, client_of, &of_jane).await.unwrap(), []);
    }
    let sealed = sheets::piece(&client, theirs, 0).await.unwrap().unwrap();
    let text = sheet::open_piece(store.keys(), theirs, 0, &sealed).unwrap();
    let of: Vec<_> = sheet::read(&text).unwrap().map(|row| (row.content, row.end, row.cells)).collect();
    assert_eq!(of, [(&b""[..], &b"\n"[..], 1), (b"Jo\xe9@example.com", b"", 1)]);
    // Accents are read as the file has them.
    let joe = Address::new("jo\u{e9}", "example.com");
    assert_eq!(forget(&store, &joe).await.unwrap().rows, 1);
    assert_eq!(forget(&store, &jane()).await.unwrap().rows, 0);
}

#[tokio::test]
async fn in_a_file_of_many_pieces_only_those_of_the_person_change() {
    let store = store().await;
    let mut text = String::from("email,note\n");
    let note = "x".repeat(1000);
    (0..600).for_each(|row| writeln!(text, "user{row}@example.com,{note}").unwrap());
    writeln!(text, "{JANE},{note}").unwrap();
    let job = submit_file(&store, LOCAL_CLIENT, text.as_bytes()).await;
    let sealed = async |no| {
        let client = store.worker().await.unwrap();
        sheets::piece(&client, job, no).await.unwrap().unwrap()
    };
    let before = [sealed(0).await, sealed(1).await, sealed(2).await];
    assert_eq!(
        forget(&store, &jane()).await.unwrap(),
        Forgotten { history: 0, rows: 1, answers: 0, requests: 0 }
    );
    assert!(before[0] == sealed(0).await && before[1] == sealed(1).await && before[2] != sealed(2).await);
    assert!(file(&store, job).await[2].ends_with(&format!("user599@example.com,{note}\n,\n")));
}
