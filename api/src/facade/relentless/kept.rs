//! What is kept of a request that was answered at once: who was asked about, and what was answered.

use mailsonde_builtin::person::Person;
use mailsonde_engine::Address;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::result::IdentityResult;
use crate::{
    jobs::person::{self, is_of, may_be_of},
    store::{StoreError, keys::Keyring},
};

/// Who was asked about, as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
}

/// What is kept of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) input: Input,
    pub(crate) result: IdentityResult,
}

impl Input {
    /// A mailbox.
    pub(crate) fn of_email(email: &str) -> Self {
        Self { name: None, domain: None, email: Some(email.to_owned()) }
    }

    /// How people tell it from others.
    pub(crate) fn label(&self) -> String {
        match (&self.email, &self.name, &self.domain) {
            (Some(email), ..) => email.clone(),
            (None, Some(name), Some(domain)) => format!("{name} @ {domain}"),
            (None, name, domain) => name.iter().chain(domain).cloned().collect(),
        }
    }

    /// Whoever is looked for, as an input of a pipeline.
    fn sought(&self) -> Option<String> {
        let person = Person::new(self.name.as_ref()?, self.domain.as_ref()?).ok()?;
        Some(person.input())
    }
}

impl Kept {
    /// What was kept.
    pub(crate) fn read(text: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(text).map_err(|_| StoreError::Unread("a request is not what it was".into()))
    }

    /// By which whoever wants to be forgotten finds it: the addresses in it, and whoever is looked for.
    pub(crate) fn tokens(&self, keys: &Keyring, client: Uuid) -> Vec<u8> {
        let sought = self.input.sought();
        let people = self.input.email.iter().chain(&self.result.address).chain(&sought);
        person::tokens(keys, client, people.map(String::as_str))
    }

    /// Whether it may be about this mailbox.
    pub(crate) fn is_about(&self, mailbox: &Address) -> bool {
        let found = self.result.address.as_deref();
        let mut addresses = self.input.email.as_deref().into_iter().chain(found);
        addresses.any(|address| is_of(address, mailbox))
            || self
                .input
                .sought()
                .is_some_and(|sought| may_be_of(&sought, found.and_then(person::address).as_ref(), mailbox))
    }
}
