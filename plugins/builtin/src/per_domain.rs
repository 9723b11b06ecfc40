//! One question per domain: what concerns a domain is asked once and told to all its subjects in a batch.

use std::{collections::HashMap, future::Future, sync::Arc};

use futures_util::{FutureExt, StreamExt, stream};
use mailsonde_engine::{Batch, Outcome, Subject, SubjectId};

/// A domain and its subjects, in the order of submission.
type Group = (Arc<str>, Vec<SubjectId>);

/// Settles the open subjects of `batch`: asks each of their domains once, at most `in_flight_max` at a time, and tells
/// all subjects of a domain as soon as its answer is there. Subjects that have no domain, or that `is_asked` declines,
/// are settled at once with nothing found.
pub(crate) async fn settle<T, F: Future<Output = T>>(
    batch: &mut Batch,
    in_flight_max: usize,
    is_asked: impl Fn(&Subject) -> bool,
    ask: impl Fn(Arc<str>) -> F,
    tell: impl Fn(&T, &mut Outcome),
) {
    let (groups, others) = group(batch, is_asked);
    for id in others {
        batch.settle(id, Outcome::default());
    }
    let answers = stream::iter(groups).map(|(domain, ids)| ask(domain).map(move |answer| (answer, ids)));
    let mut answers = std::pin::pin!(answers.buffer_unordered(in_flight_max.max(1)));
    while let Some((answer, ids)) = answers.next().await {
        for id in ids {
            let mut outcome = Outcome::default();
            tell(&answer, &mut outcome);
            batch.settle(id, outcome);
        }
    }
}

/// The domains to ask, in the order in which they first appear, and the subjects that need no question.
fn group(batch: &Batch, is_asked: impl Fn(&Subject) -> bool) -> (Vec<Group>, Vec<SubjectId>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut positions: HashMap<&str, usize> = HashMap::new();
    let mut others = Vec::new();
    for (id, subject) in batch.open() {
        match subject.address() {
            // An address literal has no domain that DNS knows.
            Some(address) if !address.is_literal() && is_asked(subject) => {
                let position = *positions.entry(address.domain()).or_insert_with(|| {
                    groups.push((Arc::from(address.domain()), Vec::new()));
                    groups.len() - 1
                });
                groups[position].1.push(id);
            }
            _ => others.push(id),
        }
    }
    (groups, others)
}
