//! One question for many: what concerns a domain, or a mail host, is asked once and told to all its subjects in a batch.

use std::{collections::HashMap, future::Future, sync::Arc};

use futures_util::{FutureExt, StreamExt, stream};
use mailsonde_engine::{Batch, Outcome, Subject, SubjectId};

/// A name and its subjects, in the order of submission.
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
    // An address literal has no domain that DNS knows.
    let domain = |subject: &Subject| {
        let address = subject.address().filter(|address| !address.is_literal() && is_asked(subject));
        address.map(|address| Box::from(address.domain()))
    };
    settle_by(batch, in_flight_max, domain, ask, tell).await;
}

/// The same, by another name than that of the domain.
pub(crate) async fn settle_by<T, F: Future<Output = T>>(
    batch: &mut Batch,
    in_flight_max: usize,
    name: impl Fn(&Subject) -> Option<Box<str>>,
    ask: impl Fn(Arc<str>) -> F,
    tell: impl Fn(&T, &mut Outcome),
) {
    let (groups, others) = group(batch, name);
    for id in others {
        batch.settle(id, Outcome::default());
    }
    let answers = stream::iter(groups).map(|(name, ids)| ask(name).map(move |answer| (answer, ids)));
    let mut answers = std::pin::pin!(answers.buffer_unordered(in_flight_max.max(1)));
    while let Some((answer, ids)) = answers.next().await {
        for id in ids {
            let mut outcome = Outcome::default();
            tell(&answer, &mut outcome);
            batch.settle(id, outcome);
        }
    }
}

/// The names to ask about, in the order in which they first appear, and the subjects that need no question.
fn group(batch: &Batch, name: impl Fn(&Subject) -> Option<Box<str>>) -> (Vec<Group>, Vec<SubjectId>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut positions: HashMap<Arc<str>, usize> = HashMap::new();
    let mut others = Vec::new();
    for (id, subject) in batch.open() {
        let Some(name) = name(subject) else {
            others.push(id);
            continue;
        };
        let position = positions.get(&*name).copied().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            groups.push((name.clone(), Vec::new()));
            positions.insert(name, groups.len() - 1);
            groups.len() - 1
        });
        groups[position].1.push(id);
    }
    (groups, others)
}
