//! What the installation remembers of mailboxes: those that refused mail for good, by blind index, and nothing else.
//!
//! All clients share it, so that a mailbox that bounced for one of them is not asked about for the next. How long a
//! memory counts is not decided here.

mod stored;

use std::collections::HashMap;

use deadpool_postgres::{Client, GenericClient};
use jiff::Timestamp;
use mailsonde_engine::{Address, DialogueStage, Finding, HistorySource, MailboxState, Remembered, Verdict};
use tokio_postgres::Row;

pub(crate) use self::stored::{LookUps, StoredHistory};
use super::{
    StoreError,
    forget::hold_off,
    keys::{Keyring, Scope, Token},
    tasks::ChunkId,
};

pub(super) const RECALL: &str = "select token, source, seen_at from history where token = any($1::bytea[])";

/// The newest memory of a mailbox counts; none is of the future, whatever a worker's clock says. In the order of tokens, so
/// that two who remember the same mailboxes at once wait for each other, and not crosswise.
pub(super) const REMEMBER: &str = "
insert into history (token, source, seen_at)
select distinct on (token) token, source, least(seen_at, now())
from unnest($1::bytea[], $2::text[], $3::timestamptz[]) as new (token, source, seen_at)
order by token, seen_at desc
on conflict (token) do update set source = excluded.source, seen_at = excluded.seen_at
where history.seen_at < excluded.seen_at";

/// Whoever refused mail after it was accepted is still remembered. Workers' clocks may differ by some minutes: rather a
/// refusal is forgotten than somebody's acceptance.
pub(super) const DISPROVE: &str = "
with disproven as (
    select token from history
    where token = any($1::bytea[]) and seen_at <= $2::timestamptz + interval '10 minutes'
    order by token for update
)
delete from history using disproven where history.token = disproven.token";

pub(super) const FORGET: &str = "delete from history where token = any($1::bytea[])";

/// Years for which something is remembered: what became of a mailbox since, nobody knows, and nobody can say any more why it
/// is kept.
pub(crate) const RETENTION_YEARS: u32 = 5;

/// What is older than [`RETENTION_YEARS`].
pub(super) const FORGET_OLD: &str = "
delete from history where token in (
    select token from history where seen_at < now() - interval '5 years' limit $1
)";

/// What there is of each source. Whoever asks does so seldom: it reads the whole table.
/// Whoever waits for the counts gives up after that, and the connection is free again.
const COUNTS_PATIENCE: &str = "set transaction read only; set local statement_timeout = '9s'";

pub(super) const COUNTS: &str =
    "select source, count(*) as count, min(seen_at) as oldest_at from history group by source";

/// What is remembered in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Mailboxes to which a message could not be delivered.
    pub(crate) bounces: i64,
    /// Mailboxes that mail servers refused when they were asked.
    pub(crate) probes: i64,
    pub(crate) oldest_at: Option<Timestamp>,
}

/// Counts what is remembered, under whatever key.
pub(crate) async fn counts(client: &mut Client) -> Result<Counts, StoreError> {
    let tx = client.transaction().await?;
    tx.batch_execute(COUNTS_PATIENCE).await?;
    let counts = tx.prepare_cached(COUNTS).await?;
    let mut told = Counts::default();
    for row in tx.query(&counts, &[]).await? {
        let is_bounce = row.get::<_, &str>("source") == word(HistorySource::Bounce);
        *if is_bounce { &mut told.bounces } else { &mut told.probes } += row.get::<_, i64>("count");
        let oldest: Timestamp = row.get("oldest_at");
        told.oldest_at = Some(told.oldest_at.map_or(oldest, |known| known.min(oldest)));
    }
    Ok(told)
}

/// A mailbox that refused mail for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) address: Address,
    pub(crate) source: HistorySource,
    pub(crate) seen_at: Timestamp,
}

/// What is remembered under these tokens.
async fn look_up<'t>(
    client: &impl GenericClient,
    tokens: impl Iterator<Item = &'t Token>,
) -> Result<HashMap<Token, Remembered>, StoreError> {
    let wanted: Vec<&[u8]> = tokens.map(Token::as_slice).collect();
    let recall = client.prepare_cached(RECALL).await?;
    let rows = client.query(&recall, &[&wanted]).await?;
    let told = |row: &Row| Some((Token::of(row.get("token"))?, remembered(row)));
    Ok(rows.iter().filter_map(told).collect())
}

/// Where keys were changed, a mailbox may be remembered under several tokens: the newest memory counts.
fn newest(tokens: &[Token], known: &HashMap<Token, Remembered>) -> Option<Remembered> {
    tokens.iter().filter_map(|token| known.get(token).copied()).max_by_key(|remembered| remembered.seen_at)
}

fn remembered(row: &Row) -> Remembered {
    let seen_at: Timestamp = row.get("seen_at");
    let source = if row.get::<_, &str>("source") == word(HistorySource::Bounce) {
        HistorySource::Bounce
    } else {
        HistorySource::Probe
    };
    Remembered { source, seen_at: seen_at.into() }
}

/// The source as the table has it.
fn word(source: HistorySource) -> &'static str {
    match source {
        HistorySource::Bounce => "bounce",
        HistorySource::Probe => "probe",
    }
}

/// Remembers mailboxes. An older memory does not replace a newer one.
pub(crate) async fn remember(
    client: &impl GenericClient,
    keys: &Keyring,
    refusals: &[Refusal],
) -> Result<(), StoreError> {
    let tokens: Vec<Token> =
        refusals.iter().map(|refusal| keys.index(Scope::Installation, &refusal.address)).collect();
    let tokens: Vec<&[u8]> = tokens.iter().map(Token::as_slice).collect();
    let sources: Vec<&str> = refusals.iter().map(|refusal| word(refusal.source)).collect();
    let seen_at: Vec<Timestamp> = refusals.iter().map(|refusal| refusal.seen_at).collect();
    let remember = client.prepare_cached(REMEMBER).await?;
    client.execute(&remember, &[&tokens, &sources, &seen_at]).await?;
    Ok(())
}

/// Forgets what is remembered of mailboxes that have accepted mail since.
pub(crate) async fn disprove(
    client: &impl GenericClient,
    keys: &Keyring,
    addresses: &[&Address],
    accepted_at: Timestamp,
) -> Result<(), StoreError> {
    let tokens = every_token(keys, addresses);
    let tokens: Vec<&[u8]> = tokens.iter().map(Token::as_slice).collect();
    let disprove = client.prepare_cached(DISPROVE).await?;
    client.execute(&disprove, &[&tokens, &accepted_at]).await?;
    Ok(())
}

/// Forgets a mailbox. Returns how many memories of it there were: one for each key under which it was written.
pub(crate) async fn forget(
    client: &impl GenericClient,
    keys: &Keyring,
    address: &Address,
) -> Result<u64, StoreError> {
    let tokens = every_token(keys, &[address]);
    let tokens: Vec<&[u8]> = tokens.iter().map(Token::as_slice).collect();
    let forget = client.prepare_cached(FORGET).await?;
    Ok(client.execute(&forget, &[&tokens]).await?)
}

fn every_token(keys: &Keyring, addresses: &[&Address]) -> Vec<Token> {
    addresses.iter().flat_map(|address| keys.indexes(Scope::Installation, address)).collect()
}

/// What finished verdicts say of mailboxes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned<'v> {
    /// Refused for good, by their mail hosts, in this run.
    pub(crate) refused: Vec<&'v Address>,
    /// Proven to accept mail, in this run.
    pub(crate) accepted: Vec<&'v Address>,
}

/// Reads verdicts for what is worth remembering. A verdict from memory teaches nothing, and nor does a domain that
/// accepts everybody.
pub(crate) fn learn_from<'v>(verdicts: impl IntoIterator<Item = &'v Verdict>) -> Learned<'v> {
    use MailboxState::{Accepted, CatchAllConfirmed, Disabled, NotFound};
    let mut learned = Learned::default();
    for verdict in verdicts {
        let Some(address) = &verdict.address else { continue };
        match verdict.judgement.mailbox {
            // The judge calls a mailbox so only when it is sure enough; without a reply it does by memory.
            NotFound | Disabled if was_asked(verdict) => learned.refused.push(address),
            Accepted | CatchAllConfirmed => learned.accepted.push(address),
            _ => {}
        }
    }
    learned
}

fn was_asked(verdict: &Verdict) -> bool {
    let is_of_rcpt = |finding: &Finding| matches!(finding, Finding::Reply(reading) if reading.stage == DialogueStage::Rcpt);
    verdict.evidence.findings().any(is_of_rcpt)
}

impl Learned<'_> {
    /// Nothing is to be written down.
    pub(crate) fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.accepted.is_empty()
    }

    /// Writes down what was learned from a chunk that had these tokens when it was read: not what somebody has asked to be
    /// forgotten meanwhile, who would be remembered for years.
    ///
    /// Each half in a transaction of its own, and not within one that has more to lose: two that learn the opposite of the
    /// same mailboxes at once are in each other's way.
    pub(crate) async fn write(
        &self,
        client: &mut Client,
        keys: &Keyring,
        at: Timestamp,
        from: ChunkId,
        tokens: &[u8],
    ) -> Result<(), StoreError> {
        self.disprove(client, keys, at).await?;
        if self.refused.is_empty() {
            return Ok(());
        }
        if let Some(tx) = hold_off(client, from, tokens).await? {
            self.remember(&tx, keys, at).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn disprove(
        &self,
        client: &impl GenericClient,
        keys: &Keyring,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if self.accepted.is_empty() { Ok(()) } else { disprove(client, keys, &self.accepted, at).await }
    }

    async fn remember(
        &self,
        client: &impl GenericClient,
        keys: &Keyring,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let refusal = |address: &&Address| Refusal {
            address: (*address).clone(),
            source: HistorySource::Probe,
            seen_at: at,
        };
        let refusals: Vec<Refusal> = self.refused.iter().map(refusal).collect();
        remember(client, keys, &refusals).await
    }
}

#[cfg(test)]
pub(crate) mod tests;
