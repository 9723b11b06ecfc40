//! `finder-permutation`: the addresses that a person may have.
//!
//! An input that is a person ([`Person`]) becomes ranked candidates, which go on in its place: what the name may be in letters
//! of addresses (`names`), in the ways in which companies make addresses of names, the likeliest first (`formats`). What is
//! known of the domain, by the engine's [`Formats`], counts for more than what is usual. Inputs that are addresses pass.
//!
//! Where anyone can open a mailbox, a name leads to namesakes: nobody is looked for there.
//!
//! A company's web site may stand at a name that takes no mail. Where the name has no MX records, and the domain that was
//! registered for it has some, the candidates are of that one. It asks nobody about mailboxes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use mailsonde_engine::{
    Address, Batch, BoxFuture, Candidate, Context, Facts, Finding, FormatCounts, Formats, Guess, Lookup,
    Outcome, RecordData, RecordKind, Resolver, Stage, StageError, SubjectId, SyntaxError, SyntaxReason,
};
use serde::{Deserialize, Serialize};

use crate::{
    formats::{Format, Known, rank},
    names::{self, NameError},
    person::{Person, PersonError, registered},
};

/// Domains that are asked about at the same time, as by the stage `dns`.
const DOMAINS_IN_FLIGHT: usize = 256;

/// Options of the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Candidates of one person, at most.
    pub candidates_max: usize,
    /// Whether people are looked for where anyone can open a mailbox: at `gmail.com`, say.
    pub at_free_providers: bool,
}

impl Default for Config {
    fn default() -> Self {
        // As many formats as are in use by more than one company in a thousand, in a few spellings.
        Self { candidates_max: 24, at_free_providers: false }
    }
}

/// Whether anyone can open a mailbox at a domain.
pub type IsFree = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The stage.
pub struct FinderPermutation {
    config: Config,
    is_free: IsFree,
    formats: Arc<dyn Formats>,
    resolver: Arc<dyn Resolver>,
}

impl FinderPermutation {
    /// The stage with its sources.
    pub fn new(
        config: Config,
        is_free: IsFree,
        formats: Arc<dyn Formats>,
        resolver: Arc<dyn Resolver>,
    ) -> Self {
        Self { config, is_free, formats, resolver }
    }

    /// The domain at which the person has mail, as far as DNS tells.
    async fn mail_domain(&self, domain: &str) -> Box<str> {
        let registered = registered(domain);
        let is_elsewhere = registered != domain
            && self.has_mail(domain).await == Some(false)
            && self.has_mail(registered).await == Some(true);
        if is_elsewhere { registered.into() } else { domain.into() }
    }

    /// Whether a domain has mail hosts of its own; nothing, where nobody answers.
    async fn has_mail(&self, domain: &str) -> Option<bool> {
        match self.resolver.lookup(domain, RecordKind::Mx).await {
            Lookup::Found(records) => {
                let is_host = |record: &RecordData| matches!(record, RecordData::Mx { exchange, .. } if !exchange.is_empty());
                Some(records.iter().any(is_host))
            }
            Lookup::NoData | Lookup::NoDomain => Some(false),
            Lookup::Failed(_) => None,
        }
    }

    /// For each domain of these persons the one at which they have mail.
    async fn homes(&self, persons: &[(SubjectId, Person)]) -> HashMap<Box<str>, Box<str>> {
        let domains: HashSet<&str> = persons.iter().map(|(_, person)| person.domain()).collect();
        let home = async |domain: &str| (Box::from(domain), self.mail_domain(domain).await);
        stream::iter(domains.into_iter().map(home)).buffer_unordered(DOMAINS_IN_FLIGHT).collect().await
    }

    /// What is known of each domain. Without it, what is usual counts.
    async fn recall(&self, domains: &[&str]) -> HashMap<Box<str>, Known> {
        let recalled = self.formats.recall(domains).await.unwrap_or_default();
        domains.iter().zip(recalled).map(|(domain, counts)| ((*domain).into(), known(&counts))).collect()
    }
}

impl Stage for FinderPermutation {
    fn name(&self) -> &'static str {
        "finder-permutation"
    }

    fn facts(&self) -> Facts {
        Facts::new(&[], &["finder.candidate", "free_provider", "syntax.error"])
    }

    fn run<'a>(&'a self, _: &'a Context, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), StageError>> {
        Box::pin(async move {
            let mut persons: Vec<(SubjectId, Person)> = Vec::new();
            for (id, read) in read(batch) {
                match read {
                    None => batch.settle(id, Outcome::default()),
                    Some(Err(error)) => batch.settle(id, refused(error)),
                    Some(Ok(person)) => persons.push((id, person)),
                }
            }
            let homes = self.homes(&persons).await;
            let mut domains: Vec<&str> = homes.values().map(|home| &**home).collect();
            domains.sort_unstable();
            domains.dedup();
            let known = self.recall(&domains).await;
            let nothing = Known::default();
            for (id, person) in &persons {
                let domain = &homes[person.domain()];
                let mut outcome = Outcome::default();
                if (self.is_free)(domain) {
                    outcome.found(Finding::FreeProvider);
                    if !self.config.at_free_providers {
                        outcome.stop();
                        batch.settle(*id, outcome);
                        continue;
                    }
                }
                let known = known.get(domain).unwrap_or(&nothing);
                outcome.expand(candidates(person, domain, known, self.config.candidates_max));
                batch.settle(*id, outcome);
            }
            Ok(())
        })
    }
}

/// A subject, and the person that it is, if it is one.
type Read = (SubjectId, Option<Result<Person, PersonError>>);

fn read(batch: &Batch) -> Vec<Read> {
    batch.open().map(|(id, subject)| (id, Person::read(subject.input()))).collect()
}

/// Nobody can be looked for.
fn refused(error: PersonError) -> Outcome {
    let reason = match error {
        PersonError::Domain => SyntaxReason::BadDomain,
        PersonError::Name(NameError::Empty) => SyntaxReason::Empty,
        PersonError::Name(NameError::ControlCharacter) => SyntaxReason::ControlCharacter,
        PersonError::Name(NameError::TooLong) => SyntaxReason::TooLong,
        PersonError::Name(NameError::NoLetter) => SyntaxReason::BadLocalPart,
    };
    let mut outcome =
        Outcome::of([Finding::SyntaxError(SyntaxError { reason, message: error.to_string().into() })]);
    outcome.stop();
    outcome
}

/// What is remembered, in formats that are known here.
pub fn known(counts: &FormatCounts) -> Known {
    let format = |(word, count): &(Box<str>, f64)| Some((Format::of_word(word)?, *count));
    Known { counts: counts.iter().filter_map(format).collect() }
}

/// The addresses that a person may have at a domain, the likeliest first.
pub fn candidates(person: &Person, domain: &str, known: &Known, max: usize) -> Vec<Candidate> {
    // A name that can be nobody's, in letters of addresses, has none.
    let guesses = names::parse(person.full_name()).map(|name| rank(&name, known, max)).unwrap_or_default();
    let of = u16::try_from(guesses.len()).unwrap_or(u16::MAX);
    let candidate = |(rank, guess): (u16, crate::formats::Guess)| Candidate {
        address: Address::new(&guess.local, domain),
        guess: Guess { format: guess.format.word().into(), rank, of, chance: guess.chance },
    };
    (1..).zip(guesses).map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use mailsonde_engine::{HistoryError, MailboxState, Pipeline, Policy, Slot, Subject, judge};

    use super::*;
    use crate::fake_dns::FakeDns;

    /// Knows one domain, and notes what it was asked.
    #[derive(Default)]
    struct Scripted {
        asked: Mutex<Vec<String>>,
        is_away: bool,
    }

    impl Formats for Scripted {
        fn recall<'a>(
            &'a self,
            domains: &'a [&'a str],
        ) -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>> {
            Box::pin(async move {
                self.asked.lock().unwrap().extend(domains.iter().map(|domain| (*domain).to_owned()));
                if self.is_away {
                    return Err(HistoryError("the database is away".into()));
                }
                let of = |domain: &&str| match *domain {
                    "known.test" => vec![("flast".into(), 3.0), ("of-a-later-version".into(), 9.0)],
                    _ => FormatCounts::new(),
                };
                Ok(domains.iter().map(of).collect())
            })
        }
    }

    async fn run(formats: Arc<Scripted>, zone: &str, inputs: &[&str]) -> Vec<Subject> {
        run_by(Config::default(), formats, zone, inputs).await
    }

    async fn run_by(config: Config, formats: Arc<Scripted>, zone: &str, inputs: &[&str]) -> Vec<Subject> {
        let is_free = Arc::new(|domain: &str| domain == "free.test");
        let stage = FinderPermutation::new(config, is_free, formats, FakeDns::new(zone));
        let pipeline = Pipeline::new("find", vec![Slot::new(Arc::new(stage))]).unwrap();
        let mut batch = Batch::new(inputs.iter().map(|input| Subject::new(*input)).collect());
        pipeline.run(&Context::within(Duration::from_secs(30)), &mut batch).await;
        batch.into_subjects()
    }

    async fn first(inputs: &[&str], zone: &str) -> Vec<String> {
        let subjects = run(Arc::default(), zone, inputs).await;
        subjects.iter().map(|subject| subject.candidates()[0].input().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_person_becomes_candidates_the_likeliest_first() {
        let subjects = run(Arc::default(), "", &["Jane Doe\texample.test"]).await;
        let candidates = subjects[0].candidates();
        assert_eq!(candidates[0].input(), "jane.doe@example.test");
        assert!(candidates.len() > 10 && candidates.len() <= Config::default().candidates_max);
        let guesses: Vec<Guess> = candidates
            .iter()
            .flat_map(Subject::findings)
            .filter_map(|finding| match finding {
                Finding::Candidate(guess) => Some(guess.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(guesses.len(), candidates.len());
        assert!(guesses.iter().all(|guess| usize::from(guess.of) == candidates.len()));
        assert!(guesses.is_sorted_by(|one, next| one.chance >= next.chance && one.rank < next.rank));
    }

    #[tokio::test]
    async fn what_is_known_of_a_domain_comes_before_what_is_usual() {
        let formats = Arc::new(Scripted::default());
        let inputs = ["Jane Doe\tknown.test", "John Smith\tknown.test", "Jane Doe\tother.test"];
        let subjects = run(formats.clone(), "", &inputs).await;
        let first: Vec<&str> = subjects.iter().map(|subject| subject.candidates()[0].input()).collect();
        assert_eq!(first, ["jdoe@known.test", "jsmith@known.test", "jane.doe@other.test"]);
        assert_eq!(*formats.asked.lock().unwrap(), ["known.test", "other.test"], "each once");
    }

    #[tokio::test]
    async fn without_its_memory_it_goes_by_what_is_usual() {
        let away = Arc::new(Scripted { is_away: true, ..Scripted::default() });
        let subjects = run(away, "", &["Jane Doe\tknown.test"]).await;
        assert_eq!(subjects[0].candidates()[0].input(), "jane.doe@known.test");
    }

    #[tokio::test]
    async fn a_name_without_mail_leads_to_the_domain_above_it_where_that_has_some() {
        let zone = "acme.test MX 10 mx.acme.test\nshop.acme.test A 192.0.2.1\n\
                    mail.own.test MX 10 mx.own.test\nown.test MX 10 mx.own.test\nshop.none.test A 192.0.2.2\n\
                    null.acme.test MX 0 .\neu.acme.test MX SERVFAIL";
        let inputs = [
            "J Doe\tshop.acme.test",
            "J Doe\tmail.own.test",
            "J Doe\tshop.none.test",
            "J Doe\tnull.acme.test",
            "J Doe\teu.acme.test",
        ];
        assert_eq!(
            first(&inputs, zone)
                .await
                .iter()
                .map(|address| address.split_once('@').unwrap().1)
                .collect::<Vec<_>>(),
            ["acme.test", "mail.own.test", "shop.none.test", "acme.test", "eu.acme.test"]
        );
    }

    #[tokio::test]
    async fn where_anyone_can_open_a_mailbox_nobody_is_looked_for() {
        let formats = Arc::new(Scripted::default());
        let subjects = run(formats.clone(), "", &["Jane Doe\tfree.test"]).await;
        assert!(subjects[0].candidates().is_empty());
        assert!(subjects[0].findings().any(|finding| *finding == Finding::FreeProvider));
        let judgement = judge(subjects[0].findings(), Policy::default().of_mailbox());
        assert_eq!(judgement.mailbox, MailboxState::Unchecked, "nobody is called dead");
    }

    #[tokio::test]
    async fn namesakes_are_looked_for_where_somebody_wants_that_and_known_for_what_they_are() {
        let config = Config { at_free_providers: true, ..Config::default() };
        let subjects = run_by(config, Arc::default(), "", &["Jane Doe\tfree.test"]).await;
        assert_eq!(subjects[0].candidates()[0].input(), "jane.doe@free.test");
        assert!(subjects[0].findings().any(|finding| *finding == Finding::FreeProvider));
    }

    #[tokio::test]
    async fn addresses_pass_and_who_cannot_be_looked_for_is_told_why() {
        let subjects =
            run(Arc::default(), "", &["jane@example.test", "17\texample.test", "Jane\tlocalhost"]).await;
        let reason = |subject: &Subject| {
            subject.findings().find_map(|finding| match finding {
                Finding::SyntaxError(error) => Some(error.reason),
                _ => None,
            })
        };
        let reasons: Vec<_> = subjects.iter().map(reason).collect();
        assert_eq!(reasons, [None, Some(SyntaxReason::BadLocalPart), Some(SyntaxReason::BadDomain)]);
        assert!(subjects.iter().all(|subject| subject.candidates().is_empty()));
    }
}
