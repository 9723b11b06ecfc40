//! The directory on a real database: who is let in, what others hear of a change, what happens while it is away.

use futures_util::future::join_all;
use tokio::{task::yield_now, time};
use uuid::Uuid;

use super::{super::*, memory::KNOWN_MAX, *};
use crate::store::{
    Store,
    access::{self as kept, KeyExpiry},
    clients::{self, NewClient},
    keys::{Keyring, Row},
    testing,
};

/// A change is known everywhere within a second; machines may be busy. Less than what is known is taken for fresh.
const SOON: Duration = Duration::from_secs(4);

const OTHER_KEY: &str = "00000002 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

const FACADE: Facade = Facade::EmailVerifier;

async fn add_client(store: &Store, name: &str) -> Uuid {
    let id = Uuid::now_v7();
    let url = store.keys().seal(Row::AlertUrl { client: id }, b"https://example.com/alerts");
    let new = NewClient {
        id,
        name,
        monthly_quota: Some(100),
        hard_cap: true,
        alert_url: Some(url),
        running_max: None,
    };
    assert!(clients::add(&store.request().await.unwrap(), &new).await.unwrap());
    id
}

/// A key of a client of its own.
async fn key_of(store: &Store, facade: Facade, expiry: KeyExpiry) -> String {
    let client = add_client(store, &Uuid::now_v7().to_string()).await;
    let token = issue(store, client, facade, facade.default_scopes(), expiry).await.unwrap();
    token.expose().to_owned()
}

async fn key(store: &Store) -> String {
    key_of(store, FACADE, KeyExpiry::default()).await
}

async fn said(directory: &Directory, key: &str) -> &'static str {
    match directory.admit(key, FACADE).await {
        Ok(_) => "welcome",
        Err(Denied::Invalid) => "invalid",
        Err(Denied::Revoked) => "revoked",
        Err(Denied::Expired) => "expired",
        Err(Denied::ClientInactive) => "inactive",
        Err(Denied::Store(_)) => "store",
    }
}

/// Waits until a directory says this of a key, but not for long.
async fn until(directory: &Directory, key: &str, expected: &str) {
    let heard = async {
        while said(directory, key).await != expected {
            yield_now().await;
        }
    };
    let is_heard = timeout(SOON, heard).await.is_ok();
    assert!(is_heard, "it is {} and not {expected}", said(directory, key).await);
}

async fn run(store: &Store, statement: &str) {
    store.worker().await.unwrap().batch_execute(statement).await.unwrap();
}

/// The first column of the one row that a query returns.
async fn count(store: &Store, query: &str) -> i64 {
    store.worker().await.unwrap().query_one(query, &[]).await.unwrap().get(0)
}

/// Time goes by, for this process alone.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

/// Waits until so many directories listen, and have looked at what they know.
async fn listening(store: &Store, directories: &[&Directory]) {
    let listeners = "select count(*) from pg_stat_activity
        where datname = current_database() and query = 'listen mailsonde_access' and state = 'idle'";
    let heard = async {
        while count(store, listeners).await < i64::try_from(directories.len()).unwrap()
            || directories.iter().any(|one| !one.inquiry.memory.due(Instant::now(), 1).is_empty())
        {
            yield_now().await;
        }
    };
    timeout(20 * SOON, heard).await.expect("they listen");
}

async fn revoke(store: &Store, key: &str) -> bool {
    let id = id_of(store, key).await.unwrap().unwrap();
    kept::revoke(&mut store.request().await.unwrap(), id, Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn a_key_opens_its_own_facade_and_says_what_its_client_may() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    for facade in Facade::ALL {
        let client = add_client(&store, facade.word()).await;
        let token = issue(&store, client, facade, facade.scopes(), KeyExpiry::default()).await.unwrap();
        for _ in ["from the store", "from memory"] {
            let access = directory.admit(token.expose(), facade).await.unwrap();
            assert_eq!((access.client, access.facade), (client, facade));
            assert_eq!((access.monthly_quota, access.hard_cap), (Some(100), true));
            assert_eq!(*access.scopes, *facade.scopes());
            assert_eq!(id_of(&store, token.expose()).await.unwrap(), Some(access.key));
        }
        for other in Facade::ALL.into_iter().filter(|other| *other != facade) {
            let denied = directory.admit(token.expose(), other).await.unwrap_err();
            assert!(matches!(denied, Denied::Invalid), "{denied}");
        }
    }
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_a_typo_without_a_question() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let stranger = token::Token::draw(FACADE);
    for _ in ["from the store", "from memory"] {
        assert_eq!(said(&directory, stranger.expose()).await, "invalid");
    }
    let (unknown, good) = (token::Token::draw(FACADE), key(&store).await);
    testing::shut(&store, true).await;
    // What the store was asked about before is known; of anything else it would have to say.
    assert_eq!(said(&directory, stranger.expose()).await, "invalid");
    for key in [unknown.expose(), &good] {
        assert_eq!(said(&directory, key).await, "store");
    }
    let typo = format!("{}{}", &good[..good.len() - 1], if good.ends_with('0') { '1' } else { '0' });
    for wrong in ["", "ev_live_", &typo, &"x".repeat(8192), &good.replace("ev_live_", "sk_live_")] {
        assert_eq!(said(&directory, wrong).await, "invalid", "{wrong}");
    }
    testing::shut(&store, false).await;
    until(&directory, &good, "welcome").await;
    assert_eq!(said(&directory, unknown.expose()).await, "invalid");
}

#[tokio::test]
async fn an_inactive_client_is_told_what_is_wrong_with_its_key_first() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let soon = KeyExpiry { after: Some(Duration::from_micros(1)), at: None };
    let (good, revoked) = (key(&store).await, key(&store).await);
    let (expired, both) = (key_of(&store, FACADE, soon).await, key_of(&store, FACADE, soon).await);
    assert!(revoke(&store, &revoked).await && revoke(&store, &both).await);
    let all = [(&good, "welcome"), (&revoked, "revoked"), (&expired, "expired"), (&both, "revoked")];
    for (key, expected) in all {
        assert_eq!(said(&directory, key).await, expected);
    }
    run(&store, "update client set active = false").await;
    let late = Directory::new(store.clone());
    for (key, expected) in all {
        let expected = if expected == "welcome" { "inactive" } else { expected };
        assert_eq!(said(&late, key).await, expected);
    }
}

#[tokio::test]
async fn a_key_expires_by_the_databases_clock_without_another_question() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let hour = Duration::from_hours(1);
    let by_time = key_of(&store, FACADE, KeyExpiry { after: Some(hour), at: None }).await;
    let at = jiff::Timestamp::now().checked_add(hour).unwrap();
    let by_date = key_of(&store, FACADE, KeyExpiry { at: Some(at), after: None }).await;
    for key in [&by_time, &by_date] {
        assert_eq!(said(&directory, key).await, "welcome");
    }
    testing::shut(&store, true).await;
    pass(KNOWN_MAX / 2).await;
    assert_eq!(said(&directory, &by_time).await, "welcome");
    testing::shut(&store, false).await;
    // What is left of the hour is known anew.
    run(&store, "update api_key set expires_at = now() + interval '20 seconds'").await;
    let late = Directory::new(store.clone());
    for key in [&by_time, &by_date] {
        assert_eq!(said(&late, key).await, "welcome");
    }
    testing::shut(&store, true).await;
    pass(Duration::from_secs(20)).await;
    for key in [&by_time, &by_date] {
        assert_eq!(said(&late, key).await, "expired");
    }
}

#[tokio::test]
async fn a_key_that_is_rotated_ends_at_once_or_after_a_grace() {
    let store = Arc::new(testing::store().await);
    let (one, two) = (Directory::new(store.clone()), Directory::new(store.clone()));
    let day = Duration::from_hours(24);
    let old = key_of(&store, FACADE, KeyExpiry { after: Some(day), at: None }).await;
    assert_eq!(said(&one, &old).await, "welcome");
    listening(&store, &[&one, &two]).await;
    let of_old = one.admit(&old, FACADE).await.unwrap();
    run(&store, "update api_key set created_at = created_at - interval '6 days'").await;

    let minute = Duration::from_mins(1);
    let new = rotate(&store, of_old.key, FACADE, minute, KeyExpiry::default()).await.unwrap().unwrap();
    let of_new = two.admit(new.expose(), FACADE).await.unwrap();
    assert_eq!(Access { key: of_old.key, ..(*of_new).clone() }, *of_old);
    assert_ne!(of_new.key, of_old.key);
    // As long as the old one was meant to be good: six days and one.
    let days = "select round(extract(epoch from expires_at - now()) / 86400)::bigint from api_key \
                order by created_at desc limit 1";
    assert_eq!(count(&store, days).await, 7);
    // The news may still be on their way; what counts is what is said when they are known.
    listening(&store, &[&one, &two]).await;
    assert_eq!(said(&two, &old).await, "welcome");
    pass(minute).await;
    assert_eq!(said(&two, &old).await, "revoked");

    let newest = rotate(&store, of_new.key, FACADE, Duration::ZERO, KeyExpiry::default()).await.unwrap();
    until(&two, new.expose(), "revoked").await;
    assert_eq!(said(&two, newest.unwrap().expose()).await, "welcome");
    // Once is enough: two keys in the place of one would be one too many.
    let again = rotate(&store, of_new.key, FACADE, Duration::ZERO, KeyExpiry::default()).await.unwrap();
    assert!(again.is_none());
    assert!(!revoke(&store, new.expose()).await);
    assert_eq!(count(&store, "select count(*) from api_key").await, 3);
}

#[tokio::test]
async fn a_revocation_does_not_wait_for_the_end_of_a_grace() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let old = key(&store).await;
    let id = directory.admit(&old, FACADE).await.unwrap().key;
    let hour = Duration::from_hours(1);
    rotate(&store, id, FACADE, hour, KeyExpiry::default()).await.unwrap().unwrap();
    assert_eq!(said(&directory, &old).await, "welcome");
    assert!(revoke(&store, &old).await);
    until(&directory, &old, "revoked").await;
}

#[tokio::test]
async fn every_process_hears_of_a_change_within_a_second() {
    let store = Arc::new(testing::store().await);
    let other_process = Arc::new(testing::another(&store, testing::keys()));
    let (here, there) = (Directory::new(store.clone()), Directory::new(other_process));
    let (one, two) = (key(&store).await, key(&store).await);
    for directory in [&here, &there] {
        for key in [&one, &two] {
            assert_eq!(said(directory, key).await, "welcome");
        }
    }
    listening(&store, &[&here, &there]).await;
    let client = here.admit(&two, FACADE).await.unwrap().client;
    revoke(&store, &one).await;
    for directory in [&there, &here] {
        until(directory, &one, "revoked").await;
    }
    assert_eq!(said(&there, &two).await, "welcome");
    for (active, expected) in [(false, "inactive"), (true, "welcome")] {
        let mut connection = store.request().await.unwrap();
        let quota = Some(7);
        let is_done = clients::change(&mut connection, client, |terms| {
            (terms.active, terms.monthly_quota, terms.hard_cap) = (active, quota, false);
        });
        assert!(is_done.await.unwrap());
        for directory in [&there, &here] {
            until(directory, &two, expected).await;
        }
    }
    let access = there.admit(&two, FACADE).await.unwrap();
    assert_eq!((access.monthly_quota, access.hard_cap), (Some(7), false));
}

#[tokio::test]
async fn a_change_of_which_nobody_was_told_is_found_by_looking() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let (revoked, removed) = (key(&store).await, key(&store).await);
    for key in [&revoked, &removed] {
        assert_eq!(said(&directory, key).await, "welcome");
    }
    listening(&store, &[&directory]).await;
    let ids = [id_of(&store, &revoked).await.unwrap(), id_of(&store, &removed).await.unwrap()];
    let [Some(first), Some(second)] = ids else { panic!("{ids:?}") };
    run(&store, &format!("update api_key set revoked_at = now() where id = '{first}'")).await;
    run(&store, &format!("delete from api_key where id = '{second}'")).await;
    for key in [&revoked, &removed] {
        assert_eq!(said(&directory, key).await, "welcome", "nobody was told");
    }
    pass(memory::FRESH_MAX).await;
    until(&directory, &revoked, "revoked").await;
    until(&directory, &removed, "invalid").await;
}

#[tokio::test]
async fn while_the_database_is_away_those_who_were_known_lately_are_let_in() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let (known, unknown) = (key(&store).await, key(&store).await);
    assert_eq!(said(&directory, &known).await, "welcome");
    listening(&store, &[&directory]).await;
    testing::shut(&store, true).await;
    pass(KNOWN_MAX / 2).await;
    assert_eq!(said(&directory, &known).await, "welcome");
    assert_eq!(said(&directory, &unknown).await, "store");
    pass(KNOWN_MAX / 2).await;
    assert_eq!(said(&directory, &known).await, "store", "it may have been revoked long ago");
    testing::shut(&store, false).await;
    let id = id_of(&store, &known).await.unwrap().unwrap();
    run(&store, &format!("update api_key set revoked_at = now() where id = '{id}'")).await;
    // They may listen again by now, and be about to hear of it.
    until(&directory, &known, "revoked").await;
    assert_eq!(said(&directory, &unknown).await, "welcome");
}

#[tokio::test]
async fn after_a_rotation_of_our_own_keys_those_of_clients_are_still_good() {
    let store = Arc::new(testing::store().await);
    let both = Keyring::from_text(&[testing::KEYS, OTHER_KEY].concat()).unwrap();
    let rotated = Arc::new(testing::another(&store, both));
    let (before, after) = (key(&store).await, key(&rotated).await);
    let (old, new) = (Directory::new(store.clone()), Directory::new(rotated.clone()));
    for (directory, key, expected) in [
        (&old, &before, "welcome"),
        (&new, &before, "welcome"),
        (&new, &after, "welcome"),
        // A process that has not heard of our new key cannot know it.
        (&old, &after, "invalid"),
    ] {
        assert_eq!(said(directory, key).await, expected);
        assert_eq!(said(directory, key).await, expected);
    }
    listening(&store, &[&old, &new]).await;
    assert!(revoke(&rotated, &before).await);
    until(&new, &before, "revoked").await;
}

#[tokio::test]
async fn who_comes_with_strange_keys_does_not_fill_the_line_for_ever() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let good = key(&store).await;
    let strangers: Vec<_> = (0..WAITING_MAX + 500).map(|_| token::Token::draw(FACADE)).collect();
    let answers = join_all(strangers.iter().map(|stranger| said(&directory, stranger.expose()))).await;
    let of = |word| answers.iter().filter(|answer| **answer == word).count();
    assert_eq!((of("invalid"), of("store")), (WAITING_MAX, 500));
    assert_eq!(said(&directory, &good).await, "welcome");
    // All who wait for the same key hear the same.
    let late = Directory::new(store.clone());
    let answers = join_all((0..200).map(|_| said(&late, &good))).await;
    assert!(answers.iter().all(|answer| *answer == "welcome"), "{answers:?}");
}

#[tokio::test]
async fn a_directory_that_is_closed_knows_whom_it_knew() {
    let store = Arc::new(testing::store().await);
    let directory = Directory::new(store.clone());
    let (known, unknown) = (key(&store).await, key(&store).await);
    assert_eq!(said(&directory, &known).await, "welcome");
    directory.close().await;
    assert_eq!((said(&directory, &known).await, said(&directory, &unknown).await), ("welcome", "store"));
    drop(directory);
    assert!(Arc::into_inner(store).is_some(), "it holds the store no more");
}

#[tokio::test]
async fn no_key_and_no_url_stands_in_the_database() {
    let store = Arc::new(testing::store().await);
    let keys = [key(&store).await, key_of(&store, Facade::Tasks, KeyExpiry::default()).await];
    let all = "select database_to_xml(true, false, '')::text";
    let dump: String = store.worker().await.unwrap().query_one(all, &[]).await.unwrap().get(0);
    assert!(dump.contains("ev_live_") && dump.contains("sk_live_"), "the hints are there");
    for key in &keys {
        let (hint, rest) = key.split_at(12);
        assert!(dump.contains(hint));
        // As text, and as octets are written.
        let octets = rest.bytes().fold(String::new(), |octets, octet| octets + &format!("{octet:02x}"));
        for part in [&rest[..8], &octets[..16], &key[8..20]] {
            assert!(!dump.contains(part), "{part}");
        }
    }
    assert!(!dump.contains("example.com/alerts") && !dump.contains("6578616d706c652e636f6d2f616c65727473"));
}
