//! The odds: how likely each provider was meant, against the chance that the domain is a genuine one that no table
//! holds. The constants are estimates; what they have to achieve is in the stage's tests.

use super::{
    providers::{Kind, Provider},
    slip::{self, Decibans, Letters},
    typed::Typed,
};

/// How much likelier a slip must be than a genuine domain: twice.
const CERTAINTY: Decibans = 3;

/// Likelihood, by the length of its name, that an address is at one particular genuine domain that no table holds.
const UNLISTED: [Decibans; 9] = [-50, -50, -50, -50, -62, -78, -86, -91, -93];

/// An ordinary word is somebody's domain far more often than a random string of its length.
const IS_WORD: Decibans = 30;

/// Words have other words and their compounds near them: `charter` has `charger`.
const NEAR_WORD: Decibans = 12;

/// Webmail of all kinds is called this-or-that-mail …
const IS_MAIL: Decibans = 8;
/// … and most of all one-letter-mail.
const IS_LETTER_MAIL: Decibans = 22;

/// The likelihood that a provider's own name under another suffix is a genuine mail domain.
const OWN_ELSEWHERE: Decibans = -90;
/// The same for a coined name that other companies or countries have too.
const COINED_ELSEWHERE: Decibans = -68;
/// The same for an ordinary word: all but the cheapest slips of the largest providers are somebody else's domain.
const WORD_ELSEWHERE: Decibans = -59;

/// A domain under a suffix that does not exist is a slip of *something*; the same slip then counts in both stories.
const NO_SUCH_SUFFIX: Decibans = -40;

/// What no rival is below.
const UNLISTED_MIN: Decibans = UNLISTED[UNLISTED.len() - 1] + NO_SUCH_SUFFIX;

/// The other story: the domain as typed is a genuine one that no table holds.
pub(super) struct Rival<'t> {
    name: &'t [u8],
    /// Whether such a domain can exist.
    is_real: bool,
    /// Its likelihood by its name alone.
    unlisted: Decibans,
}

impl<'t> Rival<'t> {
    /// A domain of this name, under a suffix that exists or not.
    pub(super) fn new(name: &'t [u8], is_real: bool, is_word: bool) -> Self {
        let by_length = UNLISTED[name.len().min(UNLISTED.len() - 1)];
        let by_form = match name {
            _ if is_word => IS_WORD,
            [_, b'm', b'a', b'i', b'l'] => IS_LETTER_MAIL,
            [.., b'm', b'a', b'i', b'l'] => IS_MAIL,
            _ => 0,
        };
        Self { name, is_real, unlisted: by_length + by_form }
    }

    /// Its likelihood beside a slip of `provider`.
    fn against(&self, provider: &Provider) -> Decibans {
        if !self.is_real {
            return self.unlisted + NO_SUCH_SUFFIX;
        }
        match (provider.kind, self.name == provider.name()) {
            (Kind::Own, true) => OWN_ELSEWHERE,
            (Kind::Coined, true) => COINED_ELSEWHERE,
            (Kind::Ordinary, true) => WORD_ELSEWHERE,
            (Kind::Own | Kind::Coined, false) => self.unlisted,
            (Kind::Ordinary, false) => self.unlisted + NEAR_WORD,
        }
    }
}

/// A search for the provider that was most likely meant.
pub(super) struct Search<'t, 'p, R> {
    text: &'t Typed,
    letters: Letters,
    cost: Decibans,
    make_rival: R,
    /// Made once a provider comes near: most domains need none.
    rival: Option<Rival<'t>>,
    best: Option<(Decibans, &'p Provider)>,
}

impl<'t, 'p, R: Fn() -> Rival<'t>> Search<'t, 'p, R> {
    /// Compares with `text`: what was typed, after a slip of cost `cost` was put right.
    pub(super) fn new(text: &'t Typed, cost: Decibans, make_rival: R) -> Self {
        Self { text, letters: Letters::of(text.octets()), cost, make_rival, rival: None, best: None }
    }

    /// Keeps the provider if it is likelier than its rival, and than all before it.
    pub(super) fn weigh(&mut self, provider: &'p Provider) {
        let (typed, meant) = (self.text.octets(), provider.domain.as_bytes());
        let share = provider.share - self.cost;
        let best = self.best.map_or(UNLISTED_MIN, |(best, _)| best);
        let cost_min = self.letters.cost_min(provider.letters, typed.len(), meant.len());
        if share - cost_min <= best {
            return;
        }
        let rival = self.rival.get_or_insert_with(&self.make_rival).against(provider);
        let cost_max = share - best.max(rival + CERTAINTY - 1) - 1;
        if cost_min > cost_max {
            return;
        }
        if let Some(cost) = slip::cost(typed, meant, cost_max) {
            self.best = Some((share - cost, provider));
        }
    }

    pub(super) fn best(self) -> Option<&'p Provider> {
        self.best.map(|(_, provider)| provider)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'p>(typed: &str, is_real: bool, providers: &'p [Provider]) -> Option<&'p str> {
        let text = Typed::read(typed)?;
        let mut search = Search::new(&text, 0, || Rival::new(text.name(), is_real, false));
        for provider in providers {
            search.weigh(provider);
        }
        search.best().map(|provider| &*provider.domain)
    }

    #[test]
    fn the_more_popular_of_two_equally_near_is_meant() {
        let few = Provider::new("alpina.com", 1_000, Kind::Own);
        let many = Provider::new("alpino.com", 50_000, Kind::Own);
        assert_eq!(found("alpini.com", true, &[few, many]), Some("alpino.com"));
    }

    #[test]
    fn short_names_and_small_providers_need_more_certainty() {
        let one = |domain, per_million| [Provider::new(domain, per_million, Kind::Own)];
        assert_eq!(found("aol.cpm", false, &one("aol.com", 25_000)), Some("aol.com"));
        assert_eq!(found("apl.com", true, &one("aol.com", 25_000)), None);
        assert_eq!(found("alpimo.com", true, &one("alpino.com", 10_000)), Some("alpino.com"));
        assert_eq!(found("alpimo.com", true, &one("alpino.com", 10)), None);
    }

    #[test]
    fn a_word_under_another_suffix_is_somebody_elses() {
        let of = |kind| [Provider::new("orange.fr", 8_000, kind)];
        assert_eq!(found("orange.gr", true, &of(Kind::Ordinary)), None);
        assert_eq!(found("orange.gr", true, &of(Kind::Own)), Some("orange.fr"));
        assert_eq!(found("orange.frr", false, &of(Kind::Ordinary)), Some("orange.fr"));
    }
}
