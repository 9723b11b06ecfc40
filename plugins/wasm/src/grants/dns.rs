//! `dns`: questions through our own resolver and its cache. How many is limited by the call's subjects.

use std::sync::Arc;

use futures_util::future::try_join_all;
use mailsonde_engine::{Lookup, LookupFailure, RecordData, RecordKind, Resolver};
use wasmtime::Result;

use crate::{
    CallFault,
    bindings::mailsonde::stage::dns::{self, Answer, Failure, Kind, Query},
    grants::Allowance,
    limits::{DNS_QUERIES_PER_SUBJECT_MAX, NAME_OCTETS_MAX},
    state::State,
};

/// What a call may ask.
pub(crate) struct DnsQueries {
    resolver: Arc<dyn Resolver>,
    left: usize,
}

impl DnsQueries {
    /// Questions about so many subjects.
    pub(crate) fn new(resolver: Arc<dyn Resolver>, subjects: usize) -> Self {
        Self { resolver, left: subjects * DNS_QUERIES_PER_SUBJECT_MAX }
    }

    /// Takes a question from what is left.
    fn take(&mut self) -> bool {
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

impl dns::Host for State {
    async fn lookup_many(&mut self, queries: Vec<Query>) -> Result<Vec<Answer>> {
        self.host_call_about(queries.len())?;
        // Linked only where it is granted, and set before each call; `configure` has nobody to ask about.
        let Some(dns) = &mut self.dns else {
            return Ok(vec![Answer::Failed(Failure::Refused); queries.len()]);
        };
        let allowed: Vec<bool> = queries.iter().map(|_| dns.take()).collect();
        let (resolver, allowance) = (&dns.resolver, Allowance::new());
        let asked = queries.iter().zip(allowed).map(|(query, is_allowed)| {
            let allowance = &allowance;
            async move {
                if !is_allowed {
                    return Ok(Answer::Failed(Failure::TooMany));
                }
                let name = query.name.trim_end_matches('.');
                if name.is_empty() || name.len() > NAME_OCTETS_MAX || name.contains(char::is_whitespace) {
                    return Ok(Answer::NoDomain);
                }
                answer(resolver.lookup(name, kind(query.kind)).await, allowance)
            }
        });
        Ok(try_join_all(asked).await?)
    }
}

fn kind(kind: Kind) -> RecordKind {
    match kind {
        Kind::A => RecordKind::A,
        Kind::Aaaa => RecordKind::Aaaa,
        Kind::Mx => RecordKind::Mx,
        Kind::Txt => RecordKind::Txt,
        Kind::Ns => RecordKind::Ns,
        Kind::Ds => RecordKind::Ds,
        Kind::Caa => RecordKind::Caa,
    }
}

fn answer(lookup: Lookup, allowance: &Allowance) -> Result<Answer, CallFault> {
    Ok(match lookup {
        Lookup::Found(records) => {
            let texts = records.iter().filter_map(RecordData::zone_text);
            Answer::Found(
                texts.map(|text| allowance.take(text.len()).map(|()| text)).collect::<Result<_, _>>()?,
            )
        }
        Lookup::NoData => Answer::NoData,
        Lookup::NoDomain => Answer::NoDomain,
        Lookup::Failed(LookupFailure::ServerFailure) => Answer::Failed(Failure::ServerFailure),
        Lookup::Failed(LookupFailure::Refused) => Answer::Failed(Failure::Refused),
        Lookup::Failed(LookupFailure::Timeout) => Answer::Failed(Failure::Timeout),
        Lookup::Failed(LookupFailure::Unreachable) => Answer::Failed(Failure::Unreachable),
    })
}
