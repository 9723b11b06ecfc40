//! Files of jobs in a real store, against what lists tell of the same rows.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mailsonde_engine::{Category, Finding, Policy, Subject, Verdict};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::*;
use crate::{
    access::Facade,
    csv::{
        CsvError,
        intake::{DataRow, Intake, Terms},
    },
    jobs::{
        duplicates, ending, results,
        rows::{
            items::{self, Item},
            verdicts::Judged,
        },
        sheet::Gathering,
        testing::{claim, deferred, judged, submit_chunks, write, write_part},
    },
    row,
    store::{
        LOCAL_CLIENT, Store,
        keys::Row,
        sheets::NewPiece,
        submission::{Draft, NewChunk, NewJob},
        testing::store_without_tasks,
    },
    verification::Moment,
};

const OURS: &str = "ev_category,ev_sub_category,ev_reason,ev_confidence_score,ev_suggestion,ev_is_catch_all,\
                    ev_is_disposable,ev_is_role_based,ev_verified_at,ev_duplicate_of_row";

async fn store() -> Shared {
    Arc::new(store_without_tasks().await)
}

async fn header(store: &Store, job: Uuid) -> JobRow {
    jobs::job(&store.request().await.unwrap(), job).await.unwrap().unwrap()
}

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

async fn prepare(store: &Shared, job: Uuid, safe: bool) -> Result<Download, NoDownload> {
    let header = header(store, job).await;
    let end = header.end().unwrap();
    Download::prepare(store, header, end, safe).await
}

/// Octets until the end, and how that came.
async fn read(mut octets: Octets) -> (Vec<u8>, io::Result<()>) {
    let mut all = Vec::new();
    loop {
        match octets.next().await {
            Ok(Some(octets)) => all.extend(octets),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// The whole file.
async fn file(store: &Shared, job: Uuid, safe: bool) -> String {
    let (octets, end) = read(prepare(store, job, safe).await.unwrap().start(())).await;
    end.unwrap();
    String::from_utf8(octets).unwrap()
}

/// A job that is made from a file, in one chunk; and the inputs of its rows.
async fn upload(store: &Store, file: &[u8]) -> (Uuid, Vec<String>) {
    let (id, client) = (Uuid::now_v7(), LOCAL_CLIENT);
    let mut intake = Intake::new(Terms { octets_max: u64::MAX, rows_max: u64::MAX, column: None });
    let mut gathering = Gathering::new(store.keys().clone(), id);
    let mut each = |row: DataRow<'_>| {
        gathering.push(&row);
        Ok::<_, CsvError>(())
    };
    intake.push(file, &mut each).unwrap();
    intake.finish(&mut each).unwrap();
    let (inputs, sheet) = gathering.finish(&intake.layout(), None);
    let piece = |piece: crate::jobs::sheet::SealedPiece| NewPiece {
        rows: piece.rows,
        sealed: piece.sealed,
        tokens: Vec::new(),
    };
    let item = |((row, input), duplicate_of): ((u32, &String), Option<u32>)| Item {
        row,
        input: input.as_str().into(),
        egress: None,
        duplicate_of,
    };
    let items: Vec<Item> = (1..).zip(&inputs).zip(duplicates::mark(&inputs)).map(item).collect();
    let deadline_at = Timestamp::now() + SignedDuration::from_hours(1);
    let chunk = NewChunk {
        operator: "example.com".into(),
        items: i32::try_from(items.len()).unwrap(),
        asks: 0,
        sealed: store.keys().seal(Row::Chunk { job: id, no: 0 }, &items::write(&items)),
        tokens: Vec::new(),
        deadline_at,
    };
    let job = NewJob {
        id,
        client,
        facade: Facade::EmailVerifier.word(),
        source: "csv",
        filename: None,
        callback: None,
        pipeline: "verify".into(),
        skips: Vec::new(),
        deadline_at,
        retention: Duration::from_hours(1),
        chunks: vec![chunk],
        layout: Some(sheet.layout),
        sheet: sheet.pieces.into_iter().map(piece).collect(),
        answer: None,
        terms: None,
    };
    let mut connection = store.request().await.unwrap();
    Draft::write(&mut connection, &job).await.unwrap().take_turn().await.unwrap().take(&job).await.unwrap();
    (id, inputs)
}

/// The verdict of a free provider, or of a duplicate.
fn verdict(row: u32, input: &str, duplicate_of: Option<u32>) -> Judged {
    let Some(first) = duplicate_of else { return judged_if_any(row, input) };
    let mut subject = Subject::new(input);
    subject.note(&Arc::from("job"), Finding::DuplicateOf(first.into()));
    let verdict = Verdict::of(subject, Policy::default());
    Judged { row, verdict, verified_at: moment(), took: Duration::ZERO, is_final: true }
}

fn judged_if_any(row: u32, input: &str) -> Judged {
    if input.contains('@') {
        return Judged { verified_at: moment(), ..judged(row, input) };
    }
    let mut verdict = Verdict::of(Subject::new(input), Policy::default());
    verdict.judgement.category = Category::InvalidSyntax;
    Judged { row, verdict, verified_at: moment(), took: Duration::ZERO, is_final: true }
}

fn moment() -> Timestamp {
    "2026-06-10T09:10:40.7Z".parse().unwrap()
}

/// A job from a file that is completed, with a verdict for each row.
async fn completed(store: &Store, file: &[u8]) -> Uuid {
    let (job, inputs) = upload(store, file).await;
    let verdicts: Vec<Judged> = (1..)
        .zip(&inputs)
        .zip(duplicates::mark(&inputs))
        .map(|((row, input), duplicate_of)| verdict(row, input, duplicate_of))
        .collect();
    write(store, &claim(store).await, &verdicts).await.unwrap();
    assert!(ending::end(store, job, End::Done).await.unwrap());
    job
}

const FLAGS: &str = "false,false,false,2026-06-10T09:10:40Z";

/// Our cells of a row at example.com; `local`: what stands before its sign, guarded.
fn ours(local: &str) -> String {
    let judgement = judged(1, "jane@example.com").verdict.judgement;
    let said = row::said(&judgement);
    format!("{},{},{},{},{local}@example.org,{FLAGS},", said[0], said[1], said[2], said[3])
}

#[tokio::test]
async fn a_list_is_a_table_of_one_column() {
    let store = store().await;
    let chunks: [&[&str]; 2] = [&["jane@example.com", "\"a,b\"@example.com"], &["=1+1@example.com"]];
    let job = submit_chunks(&store, LOCAL_CLIENT, &chunks).await;
    for rows in [&[(1, chunks[0][0]), (2, chunks[0][1])][..], &[(3, chunks[1][0])]] {
        let verdicts: Vec<_> = rows.iter().map(|(row, input)| verdict(*row, input, None)).collect();
        write(&store, &claim(&store).await, &verdicts).await.unwrap();
    }
    assert!(ending::end(&store, job, End::Done).await.unwrap());
    let quoted = ours("\"a,b\"").replace("\"a,b\"@example.org", "\"\"\"a,b\"\"@example.org\"");
    let expected = |third: &str| {
        format!(
            "email,{OURS}\r\njane@example.com,{}\r\n\"\"\"a,b\"\"@example.com\",{quoted}\r\n{third},{}\r\n",
            ours("jane"),
            ours("'=1+1"),
        )
    };
    assert_eq!(file(&store, job, false).await, expected("=1+1@example.com"));
    assert_eq!(file(&store, job, true).await, expected("'=1+1@example.com"));
}

#[tokio::test]
async fn a_table_comes_back_with_our_cells_behind_its_own() {
    let store = store().await;
    let upload = b"Nom;Courriel;Note\nJos\xe9;jane@example.com;\"two\nlines; \"\"x\"\"\"\n\nb\n=1;JANE@example.com ;-2;more\n;nobody;";
    let job = completed(&store, upload).await;
    let names = OURS.replace(',', ";");
    let ours = |local: &str| ours(local).replace(',', ";");
    let empty = ours_of(&judged_if_any(2, ""));
    let nobody = ours_of(&judged_if_any(4, "nobody"));
    let duplicate = ours_of(&verdict(3, "JANE@example.com", Some(1)));
    assert!(duplicate.starts_with("duplicate;") && duplicate.ends_with(";1"), "{duplicate}");
    let expected = |formula: &str, number: &str| {
        format!(
            "Nom;Courriel;Note;column_4;{names}\nJosé;jane@example.com;\"two\nlines; \"\"x\"\"\";;{}\n\nb;;;;{empty}\n\
             {formula};JANE@example.com ;{number};more;{duplicate}\n;nobody;;;{nobody}",
            ours("jane"),
        )
    };
    assert_eq!(file(&store, job, false).await, expected("=1", "-2"));
    assert_eq!(file(&store, job, true).await, expected("'=1", "'-2"));
}

/// The cells that a file of the command line has, with semicolons.
fn ours_of(judged: &Judged) -> String {
    let moment = Moment { verified_at: judged.verified_at, took: judged.took };
    let first = judged.verdict.evidence.findings().find_map(|finding| match finding {
        Finding::DuplicateOf(row) => Some(row.to_string()),
        _ => None,
    });
    let cells = row::cells(&judged.verdict, &moment);
    cells.into_iter().chain([first.unwrap_or_default()]).collect::<Vec<_>>().join(";")
}

#[tokio::test]
async fn a_mark_and_columns_of_our_names_stay_theirs() {
    let store = store().await;
    let job =
        completed(&store, b"\xef\xbb\xbf\"email\",\"ev_category\"\r\n\"jane@example.com\",\"x\"\r\n").await;
    let file = file(&store, job, false).await;
    let names = OURS.replace("ev_category", "ev_category_2").replace(',', "\",\"");
    assert!(
        file.starts_with(&format!(
            "\u{feff}\"email\",\"ev_category\",\"{names}\"\r\n\"jane@example.com\",\"x\",\"risky\""
        )),
        "{file}"
    );
}

/// Chunks of two items, each of which went another way, of a job that ended so.
async fn mixed(store: &Store, how: End) -> Uuid {
    const PAIR: &[&str] = &["jane@example.com", "joe@example.com"];
    let job = submit_chunks(store, LOCAL_CLIENT, &[PAIR; 6]).await;
    let both = |first| [judged(first, PAIR[0]), judged(first + 1, PAIR[1])];
    // 0 is whole, 1 has one verdict, and so has 2, which is given up.
    write(store, &claim(store).await, &both(1)).await.unwrap();
    for first in [3, 5] {
        write_part(store, &claim(store).await, 0, &both(first)[..1], None).await.unwrap();
    }
    run(store, "update chunk set dead = true where no = 2").await;
    // Of 3, one is put off, and keeps the verdict from before; 4 is damaged.
    let (three, four) = (claim(store).await, claim(store).await);
    let [jane, joe] = both(7);
    let joe = Judged { is_final: false, ..joe };
    let later = [deferred(store, 1, &[(8, PAIR[1])])];
    write_part(store, &three, 0, &[jane, joe], Some(&later)).await.unwrap();
    write(store, &four, &both(9)).await.unwrap();
    run(store, "update part set sealed = 'x' where chunk = 4").await;
    // Nobody gets to 5.
    if how == End::Done {
        run(store, "delete from task").await;
    }
    assert!(ending::end(store, job, how).await.unwrap());
    job
}

#[tokio::test]
async fn rows_of_every_fate_are_told_as_lists_tell_them() {
    let store = store().await;
    for how in [End::DeadlinePassed, End::Done] {
        let job = mixed(&store, how).await;
        for is_lost in [false, true] {
            if is_lost {
                run(&store, "update chunk set sealed = 'x' where no = 5").await;
            }
            assert_eq!(header(&store, job).await.end(), Some(how));
            let contents = jobs::contents(&store.worker().await.unwrap(), job).await.unwrap();
            let listed = results::open(store.keys(), job, &contents, Some(how)).unwrap();
            let expected: Vec<String> = listed
                .iter()
                .map(|judged| format!("{};{}", judged.verdict.input, ours_of(judged)).replace(';', ","))
                .collect();
            let file = file(&store, job, false).await;
            let rows: Vec<&str> = file.lines().skip(1).collect();
            assert_eq!(rows, expected, "{how:?}, lost: {is_lost}");
            assert_eq!(rows.len(), if is_lost || how == End::DeadlinePassed { 12 } else { 9 });
        }
        run(&store, "delete from chunk; delete from part").await;
    }
}

#[tokio::test]
async fn what_is_gone_is_told() {
    let store = store().await;
    let job = completed(&store, b"email\njane@example.com\n").await;
    let refused = async |statement: &str| {
        run(&store, statement).await;
        prepare(&store, job, false).await.err().unwrap()
    };
    run(&store, "create table kept as table job").await;
    assert!(matches!(refused("update job set layout = null").await, NoDownload::Missing));
    run(&store, "update job set layout = (select layout from kept)").await;
    assert!(matches!(refused("update sheet set rows = 2").await, NoDownload::Missing));
    assert!(matches!(refused("delete from sheet").await, NoDownload::Missing));
    assert!(matches!(refused("delete from chunk").await, NoDownload::Missing));
    assert!(matches!(refused("update job set pruned_at = now()").await, NoDownload::Expired));
    let expired = "update job set pruned_at = null, expires_at = now()";
    assert!(matches!(refused(expired).await, NoDownload::Expired));
}

/// A table of several pieces, more than wait in a channel.
fn large() -> Vec<u8> {
    let note = "x".repeat(1_000);
    let rows = (0..2_000).map(|row| format!("p{row}@example.com,{note}\n"));
    ["email,note\n".to_owned()].into_iter().chain(rows).collect::<String>().into_bytes()
}

#[tokio::test]
async fn a_file_whose_rows_are_deleted_meanwhile_breaks_off() {
    let store = store().await;
    let job = completed(&store, &large()).await;
    let (whole, end) = read(prepare(&store, job, false).await.unwrap().start(())).await;
    assert!(end.is_ok());
    assert_eq!(whole.split(|octet| *octet == b'\n').count(), 2_002);
    let mut octets = prepare(&store, job, false).await.unwrap().start(());
    let mut first = octets.next().await.unwrap().unwrap();
    // While the client reads no further, nothing is held of the database.
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(store.request().await.unwrap());
    }
    drop(all);
    run(&store, "delete from sheet").await;
    let (rest, end) = read(octets).await;
    assert_eq!(end.unwrap_err().to_string(), "its rows were deleted meanwhile");
    first.extend(rest);
    assert!(whole.starts_with(&first) && first.len() < whole.len());
}

#[tokio::test]
async fn who_goes_away_ends_it() {
    let store = store().await;
    let job = completed(&store, &large()).await;
    let (held, over) = oneshot::channel::<()>();
    let mut octets = prepare(&store, job, false).await.unwrap().start(held);
    assert!(octets.next().await.unwrap().is_some());
    drop(octets);
    assert!(over.await.is_err(), "what was held is dropped");
}

#[tokio::test]
async fn who_reads_too_slowly_gets_no_end_and_keeps_no_place() {
    let store = store().await;
    let job = completed(&store, &large()).await;
    let (held, over) = oneshot::channel::<()>();
    let download = prepare(&store, job, false).await.unwrap();
    let octets = Download { until: Instant::now() + Duration::from_secs(2), ..download }.start(held);
    assert!(over.await.is_err(), "what was held is dropped, and nothing was read");
    let (begun, end) = read(octets).await;
    assert!(end.is_err() && begun.starts_with(b"email,note,ev_category,"));
}
