//! What a process finds out before it does anything, and the statements that it has.

use std::{fs, path::Path};

use futures_util::future::join_all;

use super::{super::*, *};
use crate::store::{
    history::tests as history,
    testing::{WAITS, another},
};

const OTHER_KEY: &str = "00000002 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";
const SAME_ID: &str = "00000001 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

fn keys(lines: &[&str]) -> Keyring {
    Keyring::from_text(&lines.concat()).unwrap()
}

async fn migrate(store: &Store) -> anyhow::Result<()> {
    migrations::migrate(&mut store.worker().await?).await
}

/// Modules and names of the statements in a source: texts that begin with a word of SQL.
fn statements_of(source: &Path) -> Vec<String> {
    let module = source.file_stem().unwrap().to_str().unwrap();
    let text = fs::read_to_string(source).unwrap();
    let text = text.split_once("\nmod tests {").map_or(&*text, |(before, _)| before);
    let constants = text.split("const ").skip(1).filter_map(|rest| rest.split_once(": &str ="));
    let is_sql = |text: &str| {
        let text = text.trim_start().trim_start_matches('"').trim_start();
        ["select ", "insert ", "update ", "delete ", "with ", "copy "]
            .iter()
            .any(|word| text.starts_with(word))
    };
    constants.filter(|(_, text)| is_sql(text)).map(|(name, _)| format!("{module}::{name}")).collect()
}

#[test]
fn no_statement_is_missing_in_the_list() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let listed = fs::read_to_string(folder.join("statements.rs")).unwrap();
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let sources =
        files.filter(|path| path.extension() == Some("rs".as_ref()) && !path.ends_with("testing.rs"));
    let statements: Vec<String> = sources.flat_map(|source| statements_of(&source)).collect();
    assert!(statements.len() > 60, "{statements:?}");
    let missing: Vec<_> =
        statements.iter().filter(|name| !listed.contains(&format!("    {name},\n"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_statement_suits_the_schema() {
    let store = testing::store().await;
    let client = store.worker().await.unwrap();
    statements::prepare_all(&client).await.unwrap();
    client.batch_execute("alter table task rename column snoozes to naps").await.unwrap();
    let refused = statements::prepare_all(&client).await.unwrap_err();
    assert!(refused.to_string().contains("snoozes"), "{refused}");
}

#[tokio::test]
async fn processes_that_start_at_once_migrate_once() {
    let store = testing::empty().await;
    for migrated in join_all((0..4).map(|_| migrate(&store))).await {
        migrated.unwrap();
    }
    let steps = "select string_agg(name, ' ' order by no) from migration";
    assert_eq!(
        ask(&store, steps).await,
        "0001_jobs 0002_clients 0003_relentless 0004_tasks 0005_formats 0006_asks_and_messages"
    );
    // What the first step inserts is there once.
    assert_eq!(ask(&store, "select count(*) from task").await, "1");
    migrate(&store).await.unwrap();
}

/// The schema before its latest step.
const UNDO: &str = "
alter table job drop column asks; alter table chunk drop column asks; drop index webhook_pending;
delete from migration where name = '0006_asks_and_messages'";

#[tokio::test]
async fn a_step_does_not_keep_others_waiting_behind_it_and_is_tried_until_there_is_room() {
    let store = testing::store().await;
    run(&store, UNDO).await;
    let mut reader = store.worker().await.unwrap();
    let reading = reader.transaction().await.unwrap();
    reading.batch_execute("lock table chunk in access share mode").await.unwrap();
    let looking = async {
        while ask(&store, WAITS).await == "0" {}
        // The first try is given up, though nobody has gone yet.
        while ask(&store, WAITS).await != "0" {}
        reading.rollback().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(migrate(&store), looking);
    migrated.unwrap();
    assert_eq!(ask(&store, "select count(*) from migration").await, "6");
}

#[tokio::test]
async fn what_messages_said_that_are_over_is_kept_no_longer() {
    let store = testing::store().await;
    run(&store, UNDO).await;
    run(
        &store,
        "insert into webhook (id, client, host, sealed, state)
         select gen_random_uuid(), gen_random_uuid(), '', 'x', state
         from unnest('{pending,delivered,failed}'::text[]) as state",
    )
    .await;
    migrate(&store).await.unwrap();
    let said = "select string_agg(state, ' ') from webhook where sealed <> ''";
    assert_eq!(ask(&store, said).await, "pending");
}

#[tokio::test]
async fn a_step_that_is_not_ours_is_refused_by_name() {
    let store = testing::store().await;
    run(&store, "update migration set sha256 = '\\x00' where no = 1").await;
    let refused = migrate(&store).await.unwrap_err().to_string();
    assert!(refused.contains("`0001_jobs` is not the one"), "{refused}");
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let store = testing::store().await;
    run(&store, "insert into migration (no, name, sha256) values (99, '0099_later', '')").await;
    let refused = migrate(&store).await.unwrap_err().to_string();
    assert!(refused.contains("`0099_later`") && refused.contains("update mailsonde"), "{refused}");
}

#[tokio::test]
async fn half_a_schema_is_not_completed() {
    let store = testing::empty().await;
    run(&store, "create table chunk (somebody text)").await;
    let refused = migrate(&store).await.unwrap_err().to_string();
    assert!(refused.contains("`0001_jobs` cannot be applied, and nothing was changed"), "{refused}");
    assert!(refused.contains("\"chunk\" already exists"), "{refused}");
    let tables = "select string_agg(tablename, ',') from pg_tables where schemaname = 'public'";
    assert_eq!(ask(&store, tables).await, "chunk");
}

#[tokio::test]
async fn a_store_of_other_keys_is_refused_by_the_keys_id() {
    let store = testing::store().await;
    store.prepare().await.unwrap();
    store.prepare().await.unwrap();
    let refused = another(&store, keys(&[OTHER_KEY])).prepare().await.unwrap_err().to_string();
    assert!(refused.contains("the key 00000001, which is not among"), "{refused}");
    let refused = another(&store, keys(&[SAME_ID])).prepare().await.unwrap_err().to_string();
    assert!(refused.contains("another key 00000001"), "{refused}");
    assert_eq!(ask(&store, "select count(*) from key").await, "1");
    // After a rotation, who does not hold the new one is refused.
    another(&store, keys(&[testing::KEYS, OTHER_KEY])).prepare().await.unwrap();
    let refused = store.prepare().await.unwrap_err().to_string();
    assert!(refused.contains("the key 00000002"), "{refused}");
}

#[tokio::test]
async fn what_is_remembered_of_mailboxes() {
    let store = testing::store().await;
    history::the_newest_memory_counts(&store.worker().await.unwrap()).await;
    let store = testing::store().await;
    history::old_keys_still_find(&store.worker().await.unwrap()).await;
    let store = testing::store().await;
    history::an_acceptance_disproves(&store.worker().await.unwrap()).await;
    let store = testing::store().await;
    history::memories_fade(&store.worker().await.unwrap()).await;
}

/// The line of a process that cannot begin: what is wrong, and where to look.
async fn refusal(connection: tokio_postgres::Config) -> String {
    let store = testing::store_of(connection, testing::keys());
    format!("{:#}", store.prepare().await.unwrap_err())
}

#[tokio::test]
async fn who_is_not_let_in_hears_where_to_look() {
    let server = testing::server().await;
    let mut missing = server.clone();
    missing.dbname("nowhere");
    let said = refusal(missing).await;
    assert!(said.contains("\"nowhere\" does not exist") && said.contains("; make it, or name"), "{said}");
    let mut stranger = server.clone();
    stranger.user("stranger");
    let said = refusal(stranger).await;
    assert!(said.contains("\"stranger\"") && said.ends_with("holds the user and the password"), "{said}");
    let mut away = tokio_postgres::Config::new();
    away.host("127.0.0.1").port(1).user("mailsonde");
    let said = refusal(away).await;
    assert!(
        said.starts_with("the database cannot be used now: ") && said.contains("see whether it runs"),
        "{said}"
    );
}

#[test]
fn a_url_is_refused_for_what_is_missing_in_it() {
    let fault = |url: &str| advice::fault_of(&url.parse().unwrap());
    assert_eq!(fault("postgres://mailsonde@127.0.0.1/mailsonde"), None);
    assert_eq!(fault("postgres://mailsonde@%2Frun%2Fpostgresql"), None);
    assert!(fault("postgres:///mailsonde").unwrap().starts_with("it names no host"));
    assert!(fault("postgres://127.0.0.1/mailsonde").unwrap().starts_with("it names no user"));
}
