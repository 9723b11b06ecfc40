//! Jobs for tests, in a real store: submitted, claimed and answered by hand.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{Address, Category, Finding, Policy, Subject, Verdict};
use uuid::Uuid;

use super::{
    ending,
    person::tokens,
    plan::cut::asks_of,
    rows::{
        items::{self, Item},
        verdicts::{self, Judged},
    },
    sheet::{Gathering, SealedPiece},
    submit::LOCAL,
};
use crate::{
    csv::{
        CsvError,
        intake::{DataRow, Intake, Terms},
    },
    facade,
    store::{
        LOCAL_CLIENT, Store, StoreError,
        chunks::{self, Deferred, NewPart},
        keys::Row,
        sheets::NewPiece,
        submission::{Draft, NewChunk, NewJob},
        tasks::{self, Claimed},
        testing::{kept_messages, put_messages_off},
    },
    webhooks::{Each, Message},
};

/// A job of one chunk.
pub(super) async fn submit(store: &Store, client: Uuid, inputs: &[&str]) -> Uuid {
    submit_chunks(store, client, &[inputs]).await
}

/// A job of several chunks, whose tasks come in their order.
pub(super) async fn submit_chunks(store: &Store, client: Uuid, chunks: &[&[&str]]) -> Uuid {
    take(store, &new_job(store, client, Uuid::now_v7(), chunks)).await
}

/// A task of several chunks, of which is told at this address.
pub(super) async fn submit_task(store: &Store, chunks: &[&[&str]], url: &str) -> Uuid {
    let id = Uuid::now_v7();
    let callback = Some(store.keys().seal(Row::Callback { job: id }, url.as_bytes()));
    let job = new_job(store, LOCAL_CLIENT, id, chunks);
    take(store, &NewJob { facade: facade::tasks::WORD, callback, ..job }).await
}

/// A job of one chunk that was made from this file.
pub(super) async fn submit_file(store: &Store, client: Uuid, file: &[u8]) -> Uuid {
    let id = Uuid::now_v7();
    let mut intake = Intake::new(Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None });
    let mut gathering = Gathering::new(store.keys().clone(), id);
    let mut each = |row: DataRow<'_>| {
        gathering.push(&row);
        Ok::<_, CsvError>(())
    };
    intake.push(file, &mut each).unwrap();
    intake.finish(&mut each).unwrap();
    let (inputs, sheet) = gathering.finish(&intake.layout(), None);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut rows = inputs.iter().copied();
    let piece = |piece: SealedPiece| NewPiece {
        rows: piece.rows,
        sealed: piece.sealed,
        tokens: tokens(store.keys(), client, rows.by_ref().take(piece.rows as usize)),
    };
    let sheets = sheet.pieces.into_iter().map(piece).collect();
    let job = new_job(store, client, id, &[&inputs]);
    take(store, &NewJob { source: "csv", layout: Some(sheet.layout), sheet: sheets, ..job }).await
}

/// A job of these chunks, on its way in.
pub(super) fn new_job(store: &Store, client: Uuid, id: Uuid, chunks: &[&[&str]]) -> NewJob {
    let deadline_at = Timestamp::now() + SignedDuration::from_hours(1);
    let mut row = 1;
    let mut chunk = |(no, inputs): (i32, &&[&str])| {
        let rows: Vec<(u32, &str)> = (row..).zip(inputs.iter().copied()).collect();
        row += u32::try_from(rows.len()).unwrap();
        NewChunk {
            operator: "example.com".into(),
            items: i32::try_from(rows.len()).unwrap(),
            asks: i32::try_from(inputs.iter().map(|input| asks_of(input)).sum::<u32>()).unwrap(),
            sealed: store.keys().seal(Row::Chunk { job: id, no }, &text(&rows)),
            tokens: tokens(store.keys(), client, inputs.iter().copied()),
            deadline_at: deadline_at - SignedDuration::from_mins(30) + SignedDuration::from_secs(no.into()),
        }
    };
    NewJob {
        id,
        client,
        facade: LOCAL,
        source: "batch",
        filename: None,
        callback: None,
        pipeline: "verify".into(),
        skips: Vec::new(),
        deadline_at,
        retention: Duration::from_hours(1),
        chunks: (0..).zip(chunks).map(&mut chunk).collect(),
        layout: None,
        sheet: Vec::new(),
        answer: None,
        terms: None,
    }
}

async fn take(store: &Store, job: &NewJob) -> Uuid {
    let mut connection = store.request().await.unwrap();
    Draft::write(&mut connection, job).await.unwrap().take_turn().await.unwrap().take(job).await.unwrap();
    job.id
}

fn text(rows: &[(u32, &str)]) -> Vec<u8> {
    let item = |(row, input): &(u32, &str)| Item {
        row: *row,
        input: (*input).into(),
        egress: None,
        duplicate_of: None,
    };
    items::write(&rows.iter().map(item).collect::<Vec<_>>())
}

/// The next task, for us, but for messages: those of verdicts that were written are more urgent than any chunk.
pub(super) async fn claim(store: &Store) -> Claimed {
    put_messages_off(store).await;
    let client = store.worker().await.unwrap();
    let claimed = tasks::claim(&client, Uuid::from_u128(1), Duration::from_mins(10), 1).await.unwrap();
    claimed.into_iter().next().unwrap()
}

/// A verdict whose evidence tells much.
pub(super) fn judged(row: u32, input: &str) -> Judged {
    let mut subject = Subject::new(input);
    let (local, domain) = input.rsplit_once('@').unwrap();
    subject.note(&Arc::from("test"), Finding::FreeProvider);
    let mut verdict = Verdict::of(subject, Policy::default());
    verdict.address = Some(Address::new(local, domain));
    verdict.judgement.category = Category::Risky;
    verdict.judgement.suggestion = Some("example.org".into());
    Judged { row, verdict, verified_at: Timestamp::now(), took: Duration::ZERO, is_final: true }
}

/// Writes a chunk's only part of verdicts, with which it is done.
pub(super) async fn write(store: &Store, task: &Claimed, verdicts: &[Judged]) -> Result<(), StoreError> {
    write_part(store, task, 0, verdicts, Some(&[])).await
}

/// Writes a part of a chunk's verdicts, and what is told of them; with the last one, whoever is asked about again.
pub(super) async fn write_part(
    store: &Store,
    task: &Claimed,
    no: i32,
    verdicts: &[Judged],
    last: Option<&[Deferred]>,
) -> Result<(), StoreError> {
    let id = task.chunk.unwrap();
    let mut counts = vec![0; Category::ALL.len()];
    for judged in verdicts.iter().filter(|judged| judged.is_final) {
        ending::count(&mut counts, judged.verdict.judgement.category);
    }
    let row = Row::Part { job: id.job, chunk: id.no, no };
    let each = Each::of_job(store, id.job).await.unwrap();
    let part = NewPart {
        no,
        counts,
        role_based: 0,
        disposable: Vec::new(),
        sealed: store.keys().seal(row, &verdicts::write(verdicts)),
        told: each.map_or_else(Vec::new, |each| each.tell_final(store.keys(), verdicts)),
    };
    let mut client = store.worker().await.unwrap();
    chunks::write(&mut client, task.lease, id, &part, last).await
}

/// What is still to be told: bodies, by the ids of the messages.
pub(super) async fn messages(store: &Store) -> BTreeMap<Uuid, String> {
    let body = |(id, sealed): (Uuid, Vec<u8>)| {
        let text = store.keys().open(Row::Webhook { id }, &sealed).unwrap();
        let message: Message = serde_json::from_slice(&text).unwrap();
        (id, message.body)
    };
    kept_messages(store).await.into_iter().map(body).collect()
}

/// Items of the local client that are asked about again at once, in a chunk of this round.
pub(super) fn deferred(store: &Store, round: i32, rows: &[(u32, &str)]) -> Deferred {
    let (keys, plain) = (store.keys().clone(), text(rows));
    Deferred {
        operator: "example.com".into(),
        items: i32::try_from(rows.len()).unwrap(),
        asks: i32::try_from(rows.iter().map(|(_, input)| asks_of(input)).sum::<u32>()).unwrap(),
        round,
        tokens: tokens(&keys, LOCAL_CLIENT, rows.iter().map(|(_, input)| *input)),
        seal: Box::new(move |id| keys.seal(Row::Chunk { job: id.job, no: id.no }, &plain)),
        wait: Duration::ZERO,
        within: Duration::from_mins(1),
    }
}
