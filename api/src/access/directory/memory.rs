//! What a process knows of keys: those that the store has, as it had them a moment ago, and texts of which it has said
//! that they are none. Nobody is asked here.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use super::super::{Access, Denied, Facade, Scope};
use crate::store::{access::KeptKey, keys::AccessDigest};

/// How long what is known of a key holds without another look. A change is heard of at once; this is for the note that got
/// lost.
pub(super) const FRESH_MAX: Duration = Duration::from_secs(5);

/// How long a key is known while the store is away, and how long a key is looked after that nobody uses. Long enough for the
/// restart of a database or a failover; a key that is revoked on the other side of a network that broke is good for so long.
pub(super) const KNOWN_MAX: Duration = Duration::from_mins(5);

/// How long a text is known to be no key. A key that is made is not shown before it is in the store, so this is only kept
/// short because memory is.
const STRANGE_MAX: Duration = Duration::from_secs(30);

/// Texts that are known to be no keys, in one of two halves: some 64 octets each.
const STRANGERS_MAX: usize = 5000;

/// What the process knows.
pub(super) struct Memory {
    known: RwLock<HashMap<AccessDigest, Known>>,
    strangers: Mutex<Strangers>,
    /// How often something was heard: what was asked before may be older than that.
    news: AtomicU64,
    began: Instant,
}

/// A key, as the store had it.
struct Known {
    access: Arc<Access>,
    is_active: bool,
    expires: Option<Instant>,
    revoked: Option<Instant>,
    /// When the store was asked.
    seen: Instant,
    /// Something was heard since.
    is_doubtful: bool,
    /// When somebody came with it, in milliseconds since the memory began.
    used: AtomicU64,
}

/// A question on its way to the store: when it was asked, and what had been heard by then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    news: u64,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            known: RwLock::default(),
            strangers: Mutex::default(),
            news: AtomicU64::new(0),
            began: Instant::now(),
        }
    }

    /// What is known of a key; `None` if it has to be asked about.
    pub(super) fn recall(&self, digest: &AccessDigest, now: Instant) -> Option<Result<Arc<Access>, Denied>> {
        let known = self.read();
        let key = known.get(digest).filter(|key| now.saturating_duration_since(key.seen) < KNOWN_MAX)?;
        key.used.store(self.since_began(now), Relaxed);
        Some(key.admit(now))
    }

    /// Whether the store has said that this is no key.
    pub(super) fn is_stranger(&self, digest: &AccessDigest, now: Instant) -> bool {
        self.strangers().holds(digest, now)
    }

    /// Before the store is asked.
    pub(super) fn asking(&self, now: Instant) -> Asked {
        Asked { at: now, news: self.news.load(Relaxed) }
    }

    /// Takes in what the store said of these digests. What it did not name is gone. Whether something was heard meanwhile, so
    /// that the store should be asked again.
    pub(super) fn learn(&self, digests: &[AccessDigest], kept: Vec<KeptKey>, asked: Asked) -> bool {
        let mut known = self.write();
        // Under the lock: what is heard from here on finds the key in the map.
        let is_doubtful = self.news.load(Relaxed) != asked.news;
        let mut gone: HashSet<&AccessDigest> = digests.iter().collect();
        for kept in kept {
            let (digest, used) = (kept.digest, self.since_began(asked.at));
            let Some(mut key) = Known::of(&kept, asked.at, is_doubtful) else { continue };
            gone.remove(&digest);
            let before = known.get(&digest);
            // Another question may have been asked later and answered sooner.
            if before.is_none_or(|before| before.seen <= asked.at) {
                key.used = AtomicU64::new(before.map_or(used, |before| before.used.load(Relaxed)));
                known.insert(digest, key);
            }
        }
        for digest in gone {
            known.remove(digest);
        }
        is_doubtful
    }

    /// The store has said that this is no key.
    pub(super) fn estrange(&self, digest: AccessDigest, now: Instant) {
        self.strangers().add(digest, now);
    }

    /// Something was heard of a client; with none, anything may have happened.
    pub(super) fn doubt(&self, client: Option<Uuid>) {
        let mut known = self.write();
        self.news.fetch_add(1, Relaxed);
        let concerned =
            known.values_mut().filter(|key| client.is_none_or(|client| key.access.client == client));
        concerned.for_each(|key| key.is_doubtful = true);
    }

    /// Up to so many keys of which the store should be asked again. Forgets those that nobody uses any more.
    pub(super) fn due(&self, now: Instant, max: usize) -> Vec<AccessDigest> {
        let idle = self.since_began(now).saturating_sub(millis(KNOWN_MAX));
        let is_idle = |key: &Known| key.used.load(Relaxed) < idle;
        if self.read().values().any(is_idle) {
            self.write().retain(|_, key| !is_idle(key));
        }
        let known = self.read();
        let due = known.iter().filter(|(_, key)| key.is_doubtful || now >= key.seen + FRESH_MAX);
        due.map(|(digest, _)| *digest).take(max).collect()
    }

    fn since_began(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.began))
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<AccessDigest, Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<AccessDigest, Known>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// `None`: a key of a facade that is unknown here, of a later version.
    fn of(kept: &KeptKey, seen: Instant, is_doubtful: bool) -> Option<Self> {
        let access = Access {
            key: kept.id,
            client: kept.client,
            caller: kept.client.to_string().into(),
            facade: Facade::of(&kept.facade)?,
            scopes: kept.scopes.iter().filter_map(|word| Scope::of(word)).collect(),
            monthly_quota: kept.monthly_quota,
            hard_cap: kept.hard_cap,
        };
        Some(Self {
            access: Arc::new(access),
            is_active: kept.is_active,
            expires: kept.expires_in.and_then(|left| moment(seen, left)),
            revoked: kept.revoked_in.and_then(|left| moment(seen, left)),
            seen,
            is_doubtful,
            used: AtomicU64::new(0),
        })
    }

    /// In the order of the contract: what is wrong with the key comes before what is wrong with its client.
    fn admit(&self, now: Instant) -> Result<Arc<Access>, Denied> {
        if self.revoked.is_some_and(|at| at <= now) {
            return Err(Denied::Revoked);
        }
        if self.expires.is_some_and(|at| at <= now) {
            return Err(Denied::Expired);
        }
        if self.is_active { Ok(self.access.clone()) } else { Err(Denied::ClientInactive) }
    }
}

/// Texts that are no keys. When one half is full, the older one is forgotten.
#[derive(Default)]
struct Strangers {
    young: HashMap<AccessDigest, Instant>,
    old: HashMap<AccessDigest, Instant>,
}

impl Strangers {
    fn holds(&self, digest: &AccessDigest, now: Instant) -> bool {
        let said = self.young.get(digest).or_else(|| self.old.get(digest));
        said.is_some_and(|said| now.saturating_duration_since(*said) < STRANGE_MAX)
    }

    fn add(&mut self, digest: AccessDigest, now: Instant) {
        if self.young.len() == STRANGERS_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(digest, now);
    }
}

/// So many seconds after the question; for what is over, the question's own moment. `None`: later than any clock goes.
fn moment(asked: Instant, seconds: f64) -> Option<Instant> {
    asked.checked_add(Duration::try_from_secs_f64(seconds.max(0.0)).ok()?)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    const CLIENT: Uuid = Uuid::from_u128(7);
    const OTHER: Uuid = Uuid::from_u128(8);
    const SECOND: Duration = Duration::from_secs(1);

    fn digest(name: &str) -> AccessDigest {
        testing::keys().access_digest(name)
    }

    fn kept(name: &str) -> KeptKey {
        KeptKey {
            digest: digest(name),
            id: Uuid::from_u128(1),
            client: CLIENT,
            facade: "tasks".into(),
            scopes: vec!["verify".into(), "of a later version".into()],
            expires_in: None,
            revoked_in: None,
            is_active: true,
            monthly_quota: Some(5),
            hard_cap: true,
        }
    }

    /// A memory that was just told this.
    fn told(kept: KeptKey) -> (Memory, AccessDigest, Instant) {
        let (memory, digest, now) = (Memory::new(), kept.digest, Instant::now());
        let asked = memory.asking(now);
        assert!(!memory.learn(&[digest], vec![kept], asked));
        (memory, digest, now)
    }

    fn said(memory: &Memory, digest: AccessDigest, at: Instant) -> &'static str {
        match memory.recall(&digest, at) {
            None => "ask",
            Some(Ok(_)) => "welcome",
            Some(Err(Denied::Invalid)) => "invalid",
            Some(Err(Denied::Revoked)) => "revoked",
            Some(Err(Denied::Expired)) => "expired",
            Some(Err(Denied::ClientInactive)) => "inactive",
            Some(Err(Denied::Store(_))) => "store",
        }
    }

    #[test]
    fn what_is_told_is_known() {
        let (memory, digest, now) = told(kept("a"));
        let access = memory.recall(&digest, now).unwrap().unwrap();
        assert_eq!((access.client, access.facade), (CLIENT, Facade::Tasks));
        assert_eq!((access.monthly_quota, access.hard_cap), (Some(5), true));
        assert_eq!(*access.scopes, [Scope::Verify]);
        assert_eq!(said(&memory, self::digest("b"), now), "ask");
    }

    /// Rows: what is left in seconds of expiry and of life, whether the client is served, and what is said at once and a
    /// minute later.
    #[test]
    fn of_several_reasons_the_first_in_the_contracts_order_is_said() {
        let table = [
            (None, None, true, ["welcome", "welcome"]),
            (None, None, false, ["inactive", "inactive"]),
            (Some(30.0), None, true, ["welcome", "expired"]),
            (Some(30.0), None, false, ["inactive", "expired"]),
            (Some(-30.0), None, false, ["expired", "expired"]),
            (Some(0.0), None, true, ["expired", "expired"]),
            (None, Some(30.0), true, ["welcome", "revoked"]),
            (None, Some(-0.1), false, ["revoked", "revoked"]),
            (Some(-30.0), Some(-30.0), false, ["revoked", "revoked"]),
            (Some(-30.0), Some(30.0), true, ["expired", "revoked"]),
            (Some(1e30), Some(f64::INFINITY), true, ["welcome", "welcome"]),
        ];
        for (expires_in, revoked_in, is_active, expected) in table {
            let (memory, digest, now) = told(KeptKey { expires_in, revoked_in, is_active, ..kept("a") });
            let heard = [now, now + 60 * SECOND].map(|at| said(&memory, digest, at));
            assert_eq!(heard, expected, "{expires_in:?} {revoked_in:?} {is_active}");
        }
    }

    #[test]
    fn a_key_is_known_for_minutes_without_another_word() {
        let (memory, digest, now) = told(kept("a"));
        assert_eq!(memory.due(now + FRESH_MAX - SECOND, 10), []);
        assert_eq!(memory.due(now + FRESH_MAX, 10), [digest]);
        assert_eq!(said(&memory, digest, now + KNOWN_MAX - SECOND), "welcome");
        assert_eq!(said(&memory, digest, now + KNOWN_MAX), "ask");
    }

    #[test]
    fn what_was_heard_of_is_asked_about_again() {
        let (memory, digest, now) = told(kept("a"));
        memory.doubt(Some(OTHER));
        assert_eq!(memory.due(now, 10), []);
        memory.doubt(Some(CLIENT));
        assert_eq!(memory.due(now, 10), [digest]);
        let asked = memory.asking(now);
        memory.learn(&[digest], vec![KeptKey { revoked_in: Some(0.0), ..kept("a") }], asked);
        assert_eq!((said(&memory, digest, now), memory.due(now, 10)), ("revoked", vec![]));
        memory.doubt(None);
        assert_eq!(memory.due(now, 10), [digest]);
        // Nothing was said of it: it is gone.
        assert!(!memory.learn(&[digest], vec![], memory.asking(now)));
        assert_eq!((said(&memory, digest, now), memory.due(now, 10)), ("ask", vec![]));
    }

    #[test]
    fn an_answer_that_may_be_older_than_the_news_is_doubted() {
        let (memory, digest, now) = (Memory::new(), digest("a"), Instant::now());
        let asked = memory.asking(now);
        memory.doubt(Some(CLIENT));
        assert!(memory.learn(&[digest], vec![kept("a")], asked));
        assert_eq!(memory.due(now, 10), [digest]);
    }

    #[test]
    fn of_two_answers_the_later_question_counts() {
        let (memory, digest, now) = (Memory::new(), digest("a"), Instant::now());
        let (earlier, later) = (memory.asking(now), memory.asking(now + SECOND));
        memory.learn(&[digest], vec![KeptKey { revoked_in: Some(0.0), ..kept("a") }], later);
        memory.learn(&[digest], vec![kept("a")], earlier);
        assert_eq!(said(&memory, digest, now + SECOND), "revoked");
    }

    #[test]
    fn keys_that_nobody_uses_are_not_looked_after() {
        let (memory, digest, now) = told(kept("a"));
        let later = now + KNOWN_MAX - SECOND;
        assert_eq!(said(&memory, digest, later), "welcome");
        for at in [now + KNOWN_MAX + SECOND, later + KNOWN_MAX] {
            memory.learn(&[digest], vec![kept("a")], memory.asking(at));
            assert_eq!(memory.due(at + FRESH_MAX / 2, 10), []);
            assert_eq!(memory.read().len(), usize::from(at < later + KNOWN_MAX), "being looked at is no use");
        }
    }

    #[test]
    fn a_key_of_a_later_version_is_not_asked_about_for_ever() {
        let (memory, digest, now) = told(kept("a"));
        memory.doubt(None);
        let later = KeptKey { facade: "a later one".into(), ..kept("a") };
        memory.learn(&[digest], vec![later], memory.asking(now));
        assert_eq!((said(&memory, digest, now), memory.due(now, 10)), ("ask", vec![]));
    }

    #[test]
    fn strangers_are_known_for_a_while_and_never_too_many() {
        let (memory, now) = (Memory::new(), Instant::now());
        let name = |n: usize| digest(&n.to_string());
        (0..=2 * STRANGERS_MAX).for_each(|n| memory.estrange(name(n), now));
        // The oldest had to go.
        assert!(!memory.is_stranger(&name(0), now) && !memory.is_stranger(&name(STRANGERS_MAX - 1), now));
        assert!(memory.is_stranger(&name(STRANGERS_MAX), now));
        let last = name(2 * STRANGERS_MAX);
        assert!(memory.is_stranger(&last, now + STRANGE_MAX - SECOND));
        assert!(!memory.is_stranger(&last, now + STRANGE_MAX));
        let strangers = memory.strangers();
        assert!(strangers.young.len() + strangers.old.len() <= 2 * STRANGERS_MAX);
    }
}
