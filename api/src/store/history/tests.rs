//! What verdicts teach, and what the table keeps of it.

use std::sync::Arc;

use mailsonde_engine::{
    CatchAll, CatchAllSource, HistoryFact, MailHost, MailRoute, Policy, ProbeFailure, Reading, ReplyClass,
    Strength, Subject,
};

use super::*;

fn address(local: &str) -> Address {
    Address::new(local, "example.com")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn reply(class: ReplyClass, strength: Strength, stage: DialogueStage) -> Finding {
    Finding::Reply(Box::new(Reading {
        class,
        strength,
        rule: "test".into(),
        stage,
        code: 550,
        enhanced: None,
        text: "as it was said".into(),
        host: "mx.example.com".into(),
        agreed: false,
    }))
}

fn rcpt(class: ReplyClass) -> Finding {
    reply(class, Strength::Code, DialogueStage::Rcpt)
}

fn catch_all() -> Finding {
    Finding::CatchAll(CatchAll::Yes { source: CatchAllSource::Session })
}

fn bounced() -> Finding {
    Finding::History(HistoryFact::HardBounce { age_days: 1, source: HistorySource::Bounce })
}

/// The verdict on findings about `jane@example.com`, as the stages of a pipeline would have made them.
fn verdict(findings: &[Finding]) -> Verdict {
    let stage: Arc<str> = "test".into();
    let mut subject = Subject::new("jane@example.com");
    let host = MailHost { preference: 10, name: "mx.example.com".into() };
    let route = MailRoute::Mx { hosts: vec![host], beside_null: false };
    for finding in [Finding::Route(Arc::new(route))].iter().chain(findings) {
        subject.note(&stage, finding.clone());
    }
    Verdict { address: Some(address("jane")), ..Verdict::of(subject, Policy::default()) }
}

#[test]
fn only_answers_of_this_run_are_learned() {
    use ReplyClass::{Accepted, Disabled, Full, Greylisted, NoSuchMailbox, NotAcceptingMail, Policy};
    let no = || Finding::CatchAll(CatchAll::No { source: CatchAllSource::Session });
    let confirmed = || Finding::History(HistoryFact::Confirmed);
    for (findings, refused, accepted) in [
        (vec![rcpt(NoSuchMailbox)], 1, 0),
        (vec![rcpt(Disabled)], 1, 0),
        (vec![bounced(), rcpt(NoSuchMailbox)], 1, 0),
        (vec![rcpt(Accepted), no()], 0, 1),
        (vec![bounced(), rcpt(Accepted), no()], 0, 1),
        (vec![rcpt(Accepted), catch_all(), confirmed()], 0, 1),
        // From memory.
        (vec![bounced()], 0, 0),
        (vec![bounced(), Finding::ProbeFailed(ProbeFailure::NotProbed)], 0, 0),
        // Too weak, of another kind, not of the mailbox, or no proof.
        (vec![reply(NoSuchMailbox, Strength::Bare, DialogueStage::Rcpt)], 0, 0),
        (vec![rcpt(Full)], 0, 0),
        (vec![rcpt(Policy)], 0, 0),
        (vec![rcpt(Greylisted)], 0, 0),
        (vec![rcpt(NotAcceptingMail)], 0, 0),
        (vec![rcpt(Accepted), catch_all()], 0, 0),
        (vec![bounced(), Finding::ProbeFailed(ProbeFailure::Timeout)], 0, 0),
        (vec![], 0, 0),
    ] {
        let verdicts = [verdict(&findings)];
        let learned = learn_from(&verdicts);
        assert_eq!((learned.refused.len(), learned.accepted.len()), (refused, accepted), "{findings:?}");
    }
}

#[test]
fn what_is_no_address_teaches_nothing() {
    let nobody = Verdict { address: None, ..verdict(&[rcpt(ReplyClass::NoSuchMailbox)]) };
    assert_eq!(learn_from(&[nobody]), Learned::default());
}

const OLD_KEY: &str = "00000001 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
const NEW_KEY: &str = "00000002 AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n";

fn keys(lines: &[&str]) -> Keyring {
    Keyring::from_text(&lines.concat()).unwrap()
}

fn refusal(local: &str, source: HistorySource, second: i64) -> Refusal {
    Refusal { address: address(local), source, seen_at: at(second) }
}

/// What is remembered of each address, in their order.
pub(crate) async fn recall(
    client: &impl GenericClient,
    keys: &Keyring,
    addresses: &[&Address],
) -> Result<Vec<Option<Remembered>>, StoreError> {
    let indexes = |address: &&Address| keys.indexes(Scope::Installation, address);
    let tokens: Vec<Vec<Token>> = addresses.iter().map(indexes).collect();
    let known = look_up(client, tokens.iter().flatten()).await?;
    Ok(tokens.iter().map(|tokens| newest(tokens, &known)).collect())
}

/// Source and second of what is remembered of each.
async fn recalled(
    client: &impl GenericClient,
    keys: &Keyring,
    locals: &[&str],
) -> Vec<Option<(HistorySource, i64)>> {
    let addresses: Vec<Address> = locals.iter().map(|local| address(local)).collect();
    let addresses: Vec<&Address> = addresses.iter().collect();
    let second = |seen_at| Timestamp::try_from(seen_at).unwrap().as_second();
    let recalled = recall(client, keys, &addresses).await.unwrap();
    recalled.into_iter().map(|memory| memory.map(|m| (m.source, second(m.seen_at)))).collect()
}

/// The newest memory counts, whatever the order in which they come, and each mailbox has its own.
pub(crate) async fn the_newest_memory_counts(client: &impl GenericClient) {
    use HistorySource::{Bounce, Probe};
    let keys = keys(&[OLD_KEY]);
    let first = [
        refusal("jane", Bounce, 100),
        refusal("jane", Probe, 300),
        refusal("JANE", Bounce, 200),
        refusal("joe", Bounce, 100),
    ];
    remember(client, &keys, &first).await.unwrap();
    let both = ["joe", "nobody", "jane", "Jane"];
    let known = [Some((Bounce, 100)), None, Some((Probe, 300)), Some((Probe, 300))];
    assert_eq!(recalled(client, &keys, &both).await, known);
    remember(client, &keys, &[refusal("jane", Bounce, 299), refusal("joe", Probe, 101)]).await.unwrap();
    assert_eq!(recalled(client, &keys, &["jane", "joe"]).await, [Some((Probe, 300)), Some((Probe, 101))]);
    assert_eq!(recalled(client, &keys, &[]).await, []);
    remember(client, &keys, &[]).await.unwrap();
}

/// What was written under an older key is found, and forgotten, as long as the key is held; and not without it.
pub(crate) async fn old_keys_still_find(client: &impl GenericClient) {
    use HistorySource::{Bounce, Probe};
    let (old, both, new) = (keys(&[OLD_KEY]), keys(&[OLD_KEY, NEW_KEY]), keys(&[NEW_KEY]));
    remember(client, &old, &[refusal("ann", Bounce, 100), refusal("bob", Bounce, 500)]).await.unwrap();
    remember(client, &both, &[refusal("ann", Probe, 200), refusal("bob", Probe, 400)]).await.unwrap();
    assert_eq!(recalled(client, &both, &["ann", "bob"]).await, [Some((Probe, 200)), Some((Bounce, 500))]);
    assert_eq!(recalled(client, &new, &["ann", "bob"]).await, [Some((Probe, 200)), Some((Probe, 400))]);
    assert_eq!(forget(client, &both, &address("Ann")).await.unwrap(), 2);
    assert_eq!(forget(client, &both, &address("ann")).await.unwrap(), 0);
    assert_eq!(recalled(client, &old, &["ann", "bob"]).await, [None, Some((Bounce, 500))]);
}

/// Who accepted mail is no longer remembered, unless the refusal came later.
pub(crate) async fn an_acceptance_disproves(client: &impl GenericClient) {
    use HistorySource::Bounce;
    let keys = keys(&[OLD_KEY, NEW_KEY]);
    let refused = [refusal("eve", Bounce, 100), refusal("eva", Bounce, 3_000), refusal("eli", Bounce, 100)];
    remember(client, &keys, &refused).await.unwrap();
    let (eve, eva, kim) = (address("eve"), address("eva"), address("kim"));
    let learned = Learned { accepted: vec![&eve, &eva], refused: vec![&kim] };
    learned.disprove(client, &keys, at(200)).await.unwrap();
    learned.remember(client, &keys, at(200)).await.unwrap();
    let expected = [None, Some((Bounce, 3_000)), Some((Bounce, 100)), Some((HistorySource::Probe, 200))];
    assert_eq!(recalled(client, &keys, &["eve", "eva", "eli", "kim"]).await, expected);
}

/// After five years nobody knows what became of a mailbox.
pub(crate) async fn memories_fade(client: &impl GenericClient) {
    use HistorySource::Bounce;
    let keys = keys(&[OLD_KEY]);
    let now = Timestamp::now().as_second();
    let year = 366 * 24 * 60 * 60;
    let refused = [refusal("old", Bounce, now - 5 * year), refusal("young", Bounce, now - 4 * year)];
    remember(client, &keys, &refused).await.unwrap();
    let fade = client.prepare_cached(FORGET_OLD).await.unwrap();
    while client.execute(&fade, &[&1_i64]).await.unwrap() > 0 {}
    assert_eq!(recalled(client, &keys, &["old", "young"]).await, [None, Some((Bounce, now - 4 * year))]);
}

#[tokio::test]
async fn what_there_is_is_counted_by_its_source() {
    use HistorySource::{Bounce, Probe};
    let store = crate::store::testing::store().await;
    let mut client = store.worker().await.unwrap();
    assert_eq!(counts(&mut client).await.unwrap(), Counts::default());
    let refused = [refusal("ann", Probe, 300), refusal("bob", Bounce, 200), refusal("kim", Probe, 100)];
    remember(&client, store.keys(), &refused).await.unwrap();
    let told = Counts { bounces: 1, probes: 2, oldest_at: Some(at(100)) };
    assert_eq!(counts(&mut client).await.unwrap(), told);
}

#[test]
fn the_statement_that_forgets_keeps_to_the_years_that_are_told() {
    assert!(FORGET_OLD.contains(&format!("interval '{RETENTION_YEARS} years'")), "{FORGET_OLD}");
}
