//! Forgetting: somebody who wants it is removed from the memory of mailboxes, from the rows of all jobs and the files that
//! these were made from, from messages that nobody has taken, from answers that are kept for whoever asks again, and from
//! the history of requests.
//!
//! A row stays, and so does its category, so that what was counted stays right; its input and all that was found, which
//! might echo it, go. A row that had no verdict yet is one of an empty input from then on.
//! A message that tells of such a row alone, and that nobody has taken, is delivered no more; one of a task's end that tells
//! of it too is written anew, or goes where that cannot be done. What was answered to messages of such a job goes.
//! Of a file, all of the row goes, as it is found by its column of addresses (`sheet`).
//! An answer goes as a whole: who asks again, with the same key, asks anew.

mod answered;
mod sheet;
mod told;

use std::collections::{HashMap, HashSet};

use mailsonde_engine::{Address, MailboxState, Verdict};
use uuid::Uuid;

use super::{
    item_id::message_id,
    person::{is_of, may_be_of, tokens_of},
    rows::{
        items,
        verdicts::{self, Judged},
    },
};
use crate::store::{
    Store, StoreError,
    forget::{Rewriting, clients, holders},
    history, idempotency,
    keys::{Keyring, Row, ShortToken},
    tasks::ChunkId,
};

/// What was removed of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forgotten {
    /// Memories of the mailbox.
    pub(crate) history: u64,
    /// Rows of jobs, of all clients.
    pub(crate) rows: usize,
    /// Answers that were kept for whoever asks again.
    pub(crate) answers: u64,
    /// Requests that were answered at once.
    pub(crate) requests: u64,
}

/// Removes a person. What fails in between may be done again.
///
/// # Errors
/// A store that is away, or a key that is not held.
pub(crate) async fn forget(store: &Store, person: &Address) -> Result<Forgotten, StoreError> {
    let mut client = store.worker().await?;
    let (mut rows, mut answers, mut requests) = (HashSet::new(), 0, 0);
    for of in clients(&client).await? {
        let tokens = tokens_of(store.keys(), of, person);
        let mut seen = HashSet::new();
        loop {
            let mut found = holders(&mut client, of, &tokens).await?;
            // One that was found before has only a likeness of the token.
            found.retain(|id| seen.insert(*id));
            if found.is_empty() {
                break;
            }
            // Items may move to a new chunk until theirs is rewritten: so it is looked once more.
            for id in found {
                if let Some(rewriting) = Rewriting::begin(&mut client, id).await? {
                    let removed = rewrite(store.keys(), id, rewriting, person, &tokens).await?;
                    rows.extend(removed.into_iter().map(|row| (id.job, row)));
                }
            }
        }
        told::forget(store, &mut client, of, person).await?;
        rows.extend(sheet::forget(store.keys(), &mut client, of, person, &tokens).await?);
        answers += idempotency::forget(&mut client, of, &tokens).await?;
        requests += answered::forget(store.keys(), &mut client, of, person, &tokens).await?;
    }
    // At last: whoever was at work might have remembered the mailbox meanwhile.
    let history = history::forget(&client, store.keys(), person).await?;
    Ok(Forgotten { history, rows: rows.len(), answers, requests })
}

/// Rewrites a chunk and its verdicts. Returns the rows in which the person stood.
async fn rewrite(
    keys: &Keyring,
    id: ChunkId,
    rewriting: Rewriting<'_>,
    person: &Address,
    wanted: &[ShortToken],
) -> Result<HashSet<u32>, StoreError> {
    let row = Row::Chunk { job: id.job, no: id.no };
    let mut items = items::read(&keys.open(row, &rewriting.sealed)?)?;
    let inputs: HashMap<u32, Box<str>> = items.iter().map(|item| (item.row, item.input.clone())).collect();
    let mut known = Vec::new();
    let mut found: HashMap<u32, Address> = HashMap::new();
    for (no, sealed) in rewriting.parts().await? {
        let row = Row::Part { job: id.job, chunk: id.no, no };
        let plain = keys.open(row, &sealed)?;
        let verdicts = verdicts::read(&plain, |row| inputs.get(&row).cloned())?;
        let accepted = verdicts.iter().filter(|judged| is_found(&judged.verdict));
        found.extend(accepted.filter_map(|judged| Some((judged.row, judged.verdict.address.clone()?))));
        known.push((no, row, verdicts));
    }
    let mut tokens = rewriting.tokens.clone();
    let mut rows = HashSet::new();
    for (item, token) in items.iter_mut().zip(tokens.chunks_exact_mut(size_of::<ShortToken>())) {
        let is_meant = is_of(&item.input, person) || may_be_of(&item.input, found.get(&item.row), person);
        if wanted.iter().any(|wanted| wanted[..] == *token) && is_meant {
            item.input = "".into();
            token.fill(0);
            rows.insert(item.row);
        }
    }
    let mut parts = Vec::new();
    for (no, row, mut verdicts) in known {
        let mut of_person = verdicts.iter_mut().filter(|judged| rows.contains(&judged.row)).peekable();
        if of_person.peek().is_some() {
            of_person.for_each(strip);
            parts.push((no, keys.seal(row, &verdicts::write(&verdicts))));
        }
    }
    let sealed = keys.seal(row, &items::write(&items));
    let told: Vec<Uuid> = rows.iter().map(|row| message_id(id.job, *row)).collect();
    rewriting.finish(&sealed, &tokens, &parts, &told).await?;
    Ok(rows)
}

/// Whose address it is, is known.
fn is_found(verdict: &Verdict) -> bool {
    matches!(verdict.judgement.mailbox, MailboxState::Accepted | MailboxState::CatchAllConfirmed)
}

/// Leaves of a verdict what is counted.
fn strip(judged: &mut Judged) {
    let verdict = &mut judged.verdict;
    verdict.input = "".into();
    verdict.address = None;
    verdict.judgement.suggestion = None;
    verdict.judgement.opinions.clear();
    verdict.evidence.findings.clear();
    verdict.evidence.opinions.clear();
}

#[cfg(test)]
mod tests;
