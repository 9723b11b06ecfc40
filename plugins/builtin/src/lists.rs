//! The lists of domains and hosts that stages look things up in, and where each comes from.
//!
//! They are embedded in the program, so that everything works offline; a file of the same name in the operator's data
//! folder replaces an embedded one. Lists change by [`refresh`] alone; nothing here opens a socket.

mod domain_list;
mod pack;
mod refresh;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use mailsonde_engine::Tier;
use serde::{Deserialize, Serialize};

pub use domain_list::DomainList;
use pack::Packer;
pub use pack::{Names, Packed, RefusedLine, normalise, pack};
pub use refresh::{Refresh, Refreshed, refresh};

/// Names of the lists; also the stems of their files (`alias-relays.domains`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ListName {
    /// Well-known mail providers, which no list of disposable domains may hold.
    Mainstream,
    /// Services that forward mail to a hidden mailbox. They are aliases, not disposable.
    AliasRelays,
    /// Operators that give a mailbox further addresses by a rule of their own; the tag is the rule (see `alias`).
    AliasOperators,
    /// Disposable domains; the tag is the tier: 1 curated, 2 broad.
    Disposable,
    /// Providers where anyone can open a mailbox.
    FreeProviders,
    /// Mail hosts that serve fleets of disposable domains.
    DisposableMx,
    /// Name servers of parking services.
    Parking,
    /// Top-level domains; the tag is the number of phishing domains among 100,000 names.
    TldRisk,
}

impl ListName {
    /// All lists, in an order in which each may be refreshed: what a list is checked against comes before it.
    pub const ALL: [Self; 8] = [
        Self::Mainstream,
        Self::AliasRelays,
        Self::AliasOperators,
        Self::Disposable,
        Self::FreeProviders,
        Self::DisposableMx,
        Self::Parking,
        Self::TldRisk,
    ];

    /// The name as files, the manifest and the command line have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainstream => "mainstream",
            Self::AliasRelays => "alias-relays",
            Self::AliasOperators => "alias-operators",
            Self::Disposable => "disposable",
            Self::FreeProviders => "free-providers",
            Self::DisposableMx => "disposable-mx",
            Self::Parking => "parking",
            Self::TldRisk => "tld-risk",
        }
    }

    /// The list of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|list| list.as_str() == name)
    }

    /// Which names the list may hold.
    pub fn names(self) -> Names {
        if self == Self::TldRisk { Names::TopLevel } else { Names::Domains }
    }

    fn file(self, folder: &Path) -> PathBuf {
        folder.join(self.as_str()).with_extension("domains")
    }

    fn embedded(self) -> &'static [u8] {
        match self {
            Self::Mainstream => include_bytes!("../data/mainstream.domains"),
            Self::AliasRelays => include_bytes!("../data/alias-relays.domains"),
            Self::AliasOperators => include_bytes!("../data/alias-operators.domains"),
            Self::Disposable => include_bytes!("../data/disposable.domains"),
            Self::FreeProviders => include_bytes!("../data/free-providers.domains"),
            Self::DisposableMx => include_bytes!("../data/disposable-mx.domains"),
            Self::Parking => include_bytes!("../data/parking.domains"),
            Self::TldRisk => include_bytes!("../data/tld-risk.domains"),
        }
    }
}

/// Where the entries of each list come from.
pub type Manifest = BTreeMap<ListName, Vec<Source>>;

/// One source of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Package, file or address.
    pub name: String,
    /// As the source numbers itself; empty if it does not.
    pub version: String,
    /// Day of that version, `YYYY-MM-DD`.
    pub date: String,
    /// SPDX expression; empty if unknown.
    pub licence: String,
    /// The tier of disposable domains that it fills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Entries that it gave.
    pub entries: usize,
}

/// All lists, ready to be asked. Domains are A-labels in lower case without a final dot.
#[derive(Debug, Clone)]
pub struct Lists {
    /// In the order of [`ListName::ALL`].
    lists: [DomainList; ListName::ALL.len()],
    manifest: Manifest,
}

impl Lists {
    /// The lists that came with the program.
    ///
    /// # Panics
    /// Never: a test opens and verifies every embedded list.
    pub fn embedded() -> Self {
        Self {
            lists: ListName::ALL
                .map(|name| DomainList::open(name.embedded()).expect("an embedded list opens")),
            manifest: serde_json::from_str(include_str!("../data/manifest.json"))
                .expect("the manifest parses"),
        }
    }

    /// The embedded lists, each replaced by the file of its name in `folder` where there is one.
    pub fn load(folder: &Path) -> Result<Self, ListsError> {
        let mut lists = Self::embedded();
        let mut own_sources = read_manifest(folder)?;
        for name in ListName::ALL {
            let path = name.file(folder);
            if let Some(packed) = read_if_there(&path)? {
                let verified = DomainList::open(packed).and_then(|list| list.verify().map(|()| list));
                lists.lists[name as usize] = verified.map_err(|error| ListsError::corrupt(&path, &error))?;
                lists.manifest.insert(name, own_sources.remove(&name).unwrap_or_default());
            }
        }
        Ok(lists)
    }

    /// One list.
    pub fn get(&self, name: ListName) -> &DomainList {
        &self.lists[name as usize]
    }

    /// Where the entries of each list come from. A file that somebody put into the folder by hand has no sources.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Day of the newest source of a list, `YYYY-MM-DD`.
    pub fn updated(&self, name: ListName) -> Option<&str> {
        self.manifest.get(&name)?.iter().map(|source| source.date.as_str()).max()
    }

    /// Whether, and how surely, mailboxes of the domain are thrown away after use.
    pub fn disposable_tier(&self, domain: &str) -> Option<Tier> {
        let (tag, _) = self.get(ListName::Disposable).find_parent(domain)?;
        // An alias relay can be below a listed domain, and lists of operators may name one by mistake.
        if self.is_alias_relay(domain) {
            return None;
        }
        Some(if tag == tier_tag(Tier::Curated) { Tier::Curated } else { Tier::Broad })
    }

    /// Whether the domain forwards to hidden mailboxes.
    pub fn is_alias_relay(&self, domain: &str) -> bool {
        self.get(ListName::AliasRelays).find_parent(domain).is_some()
    }

    /// Whether anyone can open a mailbox at this very domain.
    pub fn is_free_provider(&self, domain: &str) -> bool {
        self.get(ListName::FreeProviders).contains(domain)
    }

    /// Whether the mail host serves disposable domains: it belongs to a known fleet, or its own domain is surely
    /// disposable.
    pub fn is_disposable_mx(&self, host: &str) -> bool {
        self.get(ListName::DisposableMx).find_parent(host).is_some()
            || self.disposable_tier(host) == Some(Tier::Curated)
    }

    /// Whether the name server belongs to a parking service.
    pub fn is_parking_server(&self, name_server: &str) -> bool {
        self.get(ListName::Parking).find_parent(name_server).is_some()
    }

    /// Phishing domains among 10,000 names of the domain's top-level domain, where that is known.
    #[allow(clippy::cast_precision_loss)] // at most 100,000
    pub fn tld_phishing_score(&self, domain: &str) -> Option<f64> {
        let top = domain.rsplit('.').next()?;
        let per_hundred_thousand = self.get(ListName::TldRisk).get(top)?;
        Some(per_hundred_thousand as f64 / 10.0)
    }
}

/// Failures of reading, packing and replacing lists.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListsError {
    /// The octets are no packed list.
    #[error("the list cannot be used: {0}")]
    Malformed(&'static str),
    /// A file of the data folder cannot be used.
    #[error("{}: {reason}; without the file the built-in list holds", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A name in the configuration is no domain.
    #[error("`{name}`: {reason}")]
    NotADomain {
        /// As configured.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// New entries would be fewer than half of the old ones, as after a download that broke off.
    #[error("`{list}` would shrink from {before} to {after} entries; force it if that is right")]
    Shrinks {
        /// Name of the list.
        list: &'static str,
        /// Entries that would be replaced.
        before: usize,
        /// Entries that would replace them.
        after: usize,
    },
}

impl ListsError {
    fn corrupt(path: &Path, error: &dyn std::error::Error) -> Self {
        Self::Corrupt { path: path.to_owned(), reason: error.to_string() }
    }

    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}

/// A list of domains as operators write them in a stage's configuration.
pub(crate) fn configured(names: &[String]) -> Result<DomainList, ListsError> {
    let mut packer = Packer::default();
    for name in names {
        let domain = normalise(name, Names::Domains)
            .map_err(|reason| ListsError::NotADomain { name: name.clone(), reason })?;
        packer.add(&domain, tier_tag(Tier::Curated));
    }
    Ok(packer.finish()?.list)
}

/// The tag under which a tier stands in the list of disposable domains.
fn tier_tag(tier: Tier) -> u64 {
    match tier {
        Tier::Curated => 1,
        Tier::Broad => 2,
    }
}

fn manifest_file(folder: &Path) -> PathBuf {
    folder.join("manifest.json")
}

fn read_manifest(folder: &Path) -> Result<Manifest, ListsError> {
    let path = manifest_file(folder);
    let Some(text) = read_if_there(&path)? else { return Ok(Manifest::new()) };
    serde_json::from_slice(&text).map_err(|error| ListsError::corrupt(&path, &error))
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ListsError> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ListsError::io(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty folder that is gone when the test is over.
    pub(super) struct Folder(PathBuf);

    impl Folder {
        pub(super) fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mailsonde-lists-{test}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    fn put(folder: &Folder, name: ListName, text: &str) {
        let packed = pack(text, name.names(), 1).unwrap().list.to_packed();
        fs::write(name.file(folder.path()), packed).unwrap();
    }

    #[test]
    fn embedded_lists_verify_and_have_sources() {
        let lists = Lists::embedded();
        for name in ListName::ALL {
            let list = lists.get(name);
            list.verify().unwrap();
            assert_eq!(list.iter().count(), list.len());
            assert!(!list.is_empty(), "{name:?}");
            assert!(list.iter().all(|(domain, tag)| list.get(domain) == Some(tag)), "{name:?}");
            let stated: usize = lists.manifest()[&name].iter().map(|source| source.entries).sum();
            assert_eq!(stated, list.len(), "{name:?}");
            assert!(lists.updated(name).is_some_and(|day| day.len() == "2026-01-31".len()), "{name:?}");
        }
    }

    #[test]
    fn names_and_places_of_lists_agree() {
        for (place, name) in ListName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, place);
            assert_eq!(ListName::from_name(name.as_str()), Some(name));
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
        }
    }

    #[test]
    fn no_list_contradicts_a_better_one() {
        let lists = Lists::embedded();
        let mainstream = lists.get(ListName::Mainstream);
        let wrong = |name| lists.get(name).iter().find(|(domain, _)| lists.is_alias_relay(domain));
        assert_eq!(wrong(ListName::Disposable), None);
        assert_eq!(wrong(ListName::FreeProviders), None);
        assert_eq!(mainstream.iter().find(|(domain, _)| lists.disposable_tier(domain).is_some()), None);
        let free = lists.get(ListName::FreeProviders);
        assert_eq!(free.iter().find(|(domain, _)| lists.disposable_tier(domain).is_some()), None);
    }

    #[test]
    fn hosts_of_fleets_and_parking_services_are_known() {
        let lists = Lists::embedded();
        for host in ["mail2.mailinator.com", "mx.temp-mail.io", "mxa.mailgw.com"] {
            assert!(lists.is_disposable_mx(host), "{host}");
        }
        assert!(!lists.is_disposable_mx("aspmx.l.google.com"));
        assert!(!lists.is_disposable_mx("mx1.simplelogin.co"));
        assert!(lists.is_parking_server("ns1.sedoparking.com") && lists.is_parking_server("ns2.bodis.com"));
        assert!(!lists.is_parking_server("ns1.domaincontrol.com"));
    }

    #[test]
    fn phishing_scores_are_per_ten_thousand_names() {
        let lists = Lists::embedded();
        let close = |domain, expected: f64| {
            lists.tld_phishing_score(domain).is_some_and(|score| (score - expected).abs() < 0.06)
        };
        assert!(close("a.b.top", 298.4));
        assert!(close("example.com", 18.9));
        assert_eq!(lists.tld_phishing_score("example.museum"), None);
    }

    #[test]
    fn files_of_the_folder_replace_embedded_lists() {
        let folder = Folder::new("replace");
        put(&folder, ListName::Disposable, "trash.example\nduck.com\n");
        let lists = Lists::load(folder.path()).unwrap();
        assert_eq!(lists.disposable_tier("x.trash.example"), Some(Tier::Curated));
        assert_eq!(lists.disposable_tier("mailinator.com"), None);
        assert_eq!(lists.disposable_tier("duck.com"), None, "a relay, whatever the file says");
        assert!(lists.is_free_provider("gmail.com"));
        assert_eq!(lists.manifest()[&ListName::Disposable], []);
    }

    #[test]
    fn a_corrupt_file_is_named() {
        let folder = Folder::new("corrupt");
        put(&folder, ListName::Parking, "parked.example");
        let path = ListName::Parking.file(folder.path());
        let mut octets = fs::read(&path).unwrap();
        octets[0] ^= 1;
        fs::write(&path, octets).unwrap();
        let message = Lists::load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("parking.domains") && message.contains("checksum"), "{message}");
    }

    #[test]
    fn no_folder_means_the_embedded_lists() {
        let lists = Lists::load(Path::new("/nonexistent/mailsonde")).unwrap();
        assert_eq!(lists.get(ListName::Disposable).len(), Lists::embedded().get(ListName::Disposable).len());
    }

    #[test]
    fn vendored_lists_are_made_from_the_files_beside_them() {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/own");
        let lists = Lists::embedded();
        for name in [
            ListName::Mainstream,
            ListName::AliasRelays,
            ListName::AliasOperators,
            ListName::DisposableMx,
            ListName::Parking,
            ListName::TldRisk,
        ] {
            let text = fs::read_to_string(own.join(name.as_str()).with_extension("txt")).unwrap();
            let packed = pack(&text, name.names(), 1).unwrap();
            assert_eq!(packed.refused, [], "{name:?}");
            assert_eq!(packed.list.to_packed(), lists.get(name).to_packed(), "{name:?}: run data/refresh.py");
        }
    }
}
