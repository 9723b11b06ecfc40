//! Persons as people write them: a full name, and a company's domain, which may be the address of its web site. As an input
//! of a pipeline, a person is the name, a tab and the domain.

use std::fmt;

use mailsonde_engine::Address;

use crate::{
    grammar::{self, Policy},
    names::{self, NameError},
};

/// What parts the name from the domain: in neither of them can it stand.
const SEPARATOR: char = '\t';

/// Whoever is to be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    full_name: Box<str>,
    domain: Box<str>,
    /// The domain as somebody wrote it; where another person may be named in that, the domain.
    written: Box<str>,
}

/// Why somebody cannot be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PersonError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No name of the DNS, or one of a single label.
    #[error("The domain is not a valid domain name.")]
    Domain,
}

impl PersonError {
    /// Whether the domain is at fault, and not the name.
    pub fn is_of_domain(self) -> bool {
        self == Self::Domain
    }
}

impl Person {
    /// A person with this name at the company with this domain. Of the address of a web site, the host is taken, without
    /// `www.`.
    ///
    /// # Errors
    /// A name or a domain that is none.
    pub fn new(full_name: &str, email_domain: &str) -> Result<Self, PersonError> {
        let full_name = full_name.trim();
        names::check(full_name)?;
        let written = email_domain.trim();
        let domain = domain(written).ok_or(PersonError::Domain)?;
        // By whatever stands beside a domain nobody is found who wants to be forgotten.
        let written = if written.contains('@') { domain.clone() } else { written.into() };
        Ok(Self { full_name: full_name.into(), domain, written })
    }

    /// The person of an input; `None` where it is an address, or something else.
    pub fn read(input: &str) -> Option<Result<Self, PersonError>> {
        let (full_name, domain) = input.rsplit_once(SEPARATOR)?;
        Some(Self::new(full_name, domain))
    }

    /// The name as submitted, trimmed.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The domain as it was written, but that no address is in it.
    pub fn email_domain(&self) -> &str {
        &self.written
    }

    /// The domain in A-labels, lower case, without a final dot.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The person as an input.
    pub fn input(&self) -> String {
        format!("{}{SEPARATOR}{}", self.full_name, self.written)
    }
}

/// Without the name: nobody's gets into a log.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// The domain that was registered, of which this one is a part; itself, where it is that, or nobody can say.
pub fn registered(domain: &str) -> &str {
    psl::domain_str(domain).unwrap_or(domain)
}

/// The domain that somebody means: `https://me@www.example.com:8443/about?x` and `@example.com` mean `example.com`.
fn domain(written: &str) -> Option<Box<str>> {
    if written.contains(char::is_control) {
        return None;
    }
    let rest = written.split_once("://").map_or(written, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => host,
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    // Read as an address is read, with somebody before the sign.
    let address: Address = grammar::parse(&format!("a@{host}"), Policy::Strict).ok()?;
    let host = address.domain();
    // A domain of that name may itself be a company's: `www.com`.
    let without = host.strip_prefix("www.").filter(|rest| rest.contains('.'));
    Some(without.unwrap_or(host).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_address_means_its_host() {
        for written in [
            "example.com",
            " Example.COM. ",
            "@example.com",
            "www.example.com",
            "https://www.example.com/about?who=we#us",
            "http://user:word@example.com:8080/",
            "jane@example.com",
        ] {
            assert_eq!(Person::new("Jane Doe", written).unwrap().domain(), "example.com", "{written}");
        }
        assert_eq!(Person::new("J", "bücher.example").unwrap().domain(), "xn--bcher-kva.example");
        assert_eq!(Person::new("J", "www.com").unwrap().domain(), "www.com");
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        let long = format!("{}.com", "a.".repeat(150));
        for written in
            ["", "localhost", "192.0.2.1", "[192.0.2.1]", "https://", "a b.com", "-a.com", "a.com/\tb", &long]
        {
            let error = Person::new("Jane Doe", written).unwrap_err();
            assert!(error == PersonError::Domain && error.is_of_domain(), "{written}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (name, error) in [(" ", NameError::Empty), ("17 4", NameError::NoLetter)] {
            assert_eq!(Person::new(name, "example.com"), Err(error.into()), "{name:?}");
        }
    }

    #[test]
    fn an_input_is_read_as_it_is_written() {
        let person = Person::new(" Jane Doe ", " https://www.example.com/ ").unwrap();
        assert_eq!(
            (person.domain(), &*person.input()),
            ("example.com", "Jane Doe\thttps://www.example.com/")
        );
        assert_eq!(Person::read(&person.input()), Some(Ok(person.clone())));
        let named = Person::new("Jane Doe", "https://example.com/?who=john@example.org").unwrap();
        assert_eq!(named.input(), "Jane Doe\texample.com", "nobody else is named");
        assert_eq!(Person::read("jane@example.com"), None);
        assert!(!format!("{person:?}").contains("Jane"));
    }
}
