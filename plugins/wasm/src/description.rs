//! What a plugin says of itself, checked.

use mailsonde_engine::{BATCH_MAX, Facts, Finding};

use crate::{
    PluginError,
    bindings::exports::mailsonde::stage::plugin as wit,
    limits::{CALL_SUBJECTS, ID_OCTETS_MAX, KEY_OCTETS_MAX, KEYS_MAX, VERSION_OCTETS_MAX},
};

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The plugin's own name: the prefix of its facts.
    pub id: String,
    /// For people.
    pub version: String,
    /// Keys of facts that it needs from earlier stages.
    pub reads: Vec<String>,
    /// Keys of facts that it uses where they are.
    pub may_read: Vec<String>,
    /// Keys of facts that it makes.
    pub writes: Vec<String>,
    /// Subjects of one call at most.
    pub call_subjects: usize,
}

/// Under this key the engine keeps opinions.
const OPINION: &str = "opinion";

impl Description {
    pub(crate) fn new(said: wit::Description) -> Result<Self, PluginError> {
        let wit::Description { id, version, reads, may_read, writes, batch_hint } = said;
        let wrong = |message: String| Err(PluginError::Description(message));
        if id.len() > ID_OCTETS_MAX || !is_id(&id) {
            let id = start(&id, ID_OCTETS_MAX);
            return wrong(format!(
                "the id {id:?}, which is no word of lower-case letters, digits and hyphens"
            ));
        }
        if Finding::KEYS.iter().any(|key| key.split('.').next() == Some(&*id)) {
            return wrong(format!("the id {id:?}, under which mailsonde keeps facts of its own"));
        }
        if version.len() > VERSION_OCTETS_MAX || version.chars().any(char::is_control) {
            return wrong("a version that is no short text on one line".into());
        }
        if let Some(keys) = [&reads, &may_read, &writes].into_iter().find(|keys| keys.len() > KEYS_MAX) {
            return wrong(format!("a list of {} keys of facts, and {KEYS_MAX} are allowed", keys.len()));
        }
        for key in &writes {
            if key.strip_prefix(&*id).and_then(|rest| rest.strip_prefix('.')).is_none_or(str::is_empty) {
                let key = start(key, KEY_OCTETS_MAX);
                return wrong(format!("it writes {key:?}, which does not begin with `{id}.`"));
            }
        }
        let all = writes.iter().map(|key| ("writes", key));
        for (does, key) in all.chain(reads.iter().chain(&may_read).map(|key| ("reads", key))) {
            if !Finding::KEYS.contains(&&**key) && !is_key(key) {
                let key = start(key, KEY_OCTETS_MAX);
                return wrong(format!("it {does} {key:?}, which is no key of a fact"));
            }
        }
        let call_subjects = match batch_hint {
            0 => CALL_SUBJECTS,
            hint => usize::try_from(hint).unwrap_or(BATCH_MAX).min(BATCH_MAX),
        };
        Ok(Self { id, version, reads, may_read, writes, call_subjects })
    }

    /// The facts as the pipeline knows them. Opinions are always among what a plugin writes.
    pub fn facts(&self) -> Facts {
        let owned = |keys: &[String]| keys.iter().map(|key| key.clone().into()).collect();
        let mut writes: Vec<_> = owned(&self.writes);
        writes.push(OPINION.into());
        Facts { reads: owned(&self.reads), writes }
    }

    pub(crate) fn has_facts_of(&self, other: &Self) -> bool {
        (&self.id, &self.reads, &self.writes) == (&other.id, &other.reads, &other.writes)
    }

    pub(crate) fn reads_nothing(&self) -> bool {
        self.reads.is_empty() && self.may_read.is_empty()
    }

    /// Whether the plugin is handed findings with this key.
    pub fn may_see(&self, key: &str) -> bool {
        self.reads.iter().chain(&self.may_read).any(|read| read == key)
    }
}

fn is_id(id: &str) -> bool {
    id.starts_with(|first: char| first.is_ascii_lowercase())
        && id.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether it may be a plugin's key: its id, a dot, and a few words.
fn is_key(key: &str) -> bool {
    let is_of_a_word = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    let is_plugins =
        |(plugin, rest): (&str, &str)| is_id(plugin) && !rest.is_empty() && rest.bytes().all(is_of_a_word);
    key.len() <= KEY_OCTETS_MAX && key.split_once('.').is_some_and(is_plugins)
}

/// As much of a text as an error repeats.
fn start(text: &str, octets: usize) -> &str {
    &text[..text.floor_char_boundary(octets)]
}
