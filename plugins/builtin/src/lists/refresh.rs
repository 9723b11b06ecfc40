//! Replacing a list of the data folder by new lines of text: checked first, written at once or not at all.
//!
//! Fetching the text is the caller's part.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

use mailsonde_engine::Tier;

use super::{
    DomainList, ListName, Lists, ListsError, Packer, RefusedLine, Source, manifest_file, read_manifest,
    tier_tag,
};

/// A change to one list.
#[derive(Debug, Clone)]
pub struct Refresh<'a> {
    /// The list.
    pub list: ListName,
    /// A domain a line; see [`super::pack`].
    pub text: &'a str,
    /// Where the text comes from. With a tier, only the entries of that tier are replaced; `entries` is filled in here.
    pub source: Source,
    /// Replace the list even if it shrinks by more than half.
    pub force: bool,
}

/// What a refresh did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// Entries that were replaced.
    pub before: usize,
    /// Entries that replaced them.
    pub after: usize,
    /// Entries that were left out because another list says better (a mainstream provider is not disposable).
    pub kept_out: usize,
    /// Lines that hold no domain.
    pub refused: Vec<RefusedLine>,
}

/// Replaces a list in `folder`, or the part of it that is of the source's tier.
///
/// A list that would lose more than half of its entries is refused unless forced: a download that broke off must not
/// make every disposable domain pass. Readers see the old file or the new one, never a part of either.
pub fn refresh(folder: &Path, change: &Refresh<'_>) -> Result<Refreshed, ListsError> {
    let lists = Lists::load(folder)?;
    let old = lists.get(change.list);
    let tag = change.source.tier.map(tier_tag);
    let replaced = |list: &DomainList| tag.map_or(list.len(), |tag| list.count(tag));

    let mut packer = Packer::default();
    if let Some(tag) = tag {
        old.iter().filter(|entry| entry.1 != tag).for_each(|(domain, tag)| packer.add(domain, tag));
    }
    packer.add_text(change.text, change.list.names(), tag.unwrap_or(tier_tag(Tier::Curated)));
    let kept_out = keep_out(change.list, &lists, &mut packer);
    let new = packer.finish()?;

    let (before, after) = (replaced(old), replaced(&new.list));
    if after * 2 < before && !change.force {
        return Err(ListsError::Shrinks { list: change.list.as_str(), before, after });
    }
    fs::create_dir_all(folder).map_err(ListsError::io(folder))?;
    write_at_once(&change.list.file(folder), &new.list.to_packed())?;
    record(folder, &lists, change, after)?;
    Ok(Refreshed { before, after, kept_out, refused: new.refused })
}

/// Takes out what other lists know better; returns how many entries.
fn keep_out(list: ListName, lists: &Lists, packer: &mut Packer) -> usize {
    match list {
        ListName::Disposable => packer.remove(|domain| {
            lists.get(ListName::Mainstream).contains(domain) || lists.is_alias_relay(domain)
        }),
        ListName::FreeProviders => {
            packer.remove(|domain| lists.disposable_tier(domain).is_some() || lists.is_alias_relay(domain))
        }
        _ => 0,
    }
}

/// Writes down the new source in the folder's manifest, beside the sources of other tiers.
fn record(folder: &Path, lists: &Lists, change: &Refresh<'_>, entries: usize) -> Result<(), ListsError> {
    let path = manifest_file(folder);
    let mut manifest = read_manifest(folder)?;
    let mut sources = lists.manifest().get(&change.list).cloned().unwrap_or_default();
    sources.retain(|source| change.source.tier.is_some() && source.tier != change.source.tier);
    sources.push(Source { entries, ..change.source.clone() });
    manifest.insert(change.list, sources);
    let text = serde_json::to_vec_pretty(&manifest).map_err(|error| ListsError::corrupt(&path, &error))?;
    write_at_once(&path, &text)
}

/// Writes beside the file and renames over it, so that a crash leaves the old file or the new one.
fn write_at_once(path: &Path, octets: &[u8]) -> Result<(), ListsError> {
    // The process id keeps two refreshes at the same time from writing into one file; the last one wins whole.
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(octets).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary))).map_err(ListsError::io(path))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::Folder, *};

    fn change(list: ListName, tier: Option<Tier>, text: &str, force: bool) -> Refresh<'_> {
        let source = Source {
            name: "a test".to_owned(),
            version: "1".to_owned(),
            date: "2026-01-31".to_owned(),
            licence: String::new(),
            tier,
            entries: 0,
        };
        Refresh { list, text, source, force }
    }

    fn listed(folder: &Folder, list: ListName) -> Vec<(String, u64)> {
        let lists = Lists::load(folder.path()).unwrap();
        lists.get(list).iter().map(|(domain, tag)| (domain.to_owned(), tag)).collect()
    }

    #[test]
    fn a_list_that_shrinks_by_more_than_half_is_refused_unless_forced() {
        let folder = Folder::new("shrink");
        let parking = |text, force| refresh(folder.path(), &change(ListName::Parking, None, text, force));
        assert!(matches!(parking("a.example", false), Err(ListsError::Shrinks { after: 1, .. })));
        assert!(!ListName::Parking.file(folder.path()).exists());

        assert_eq!(parking("a.example\nb.example\nc.example\nd.example", true).unwrap().after, 4);
        assert_eq!(parking("a.example\nb.example", false).unwrap().before, 4);
        assert!(parking("", false).is_err());
        assert_eq!(
            listed(&folder, ListName::Parking),
            [("a.example".to_owned(), 1), ("b.example".to_owned(), 1)]
        );
    }

    #[test]
    fn a_tier_is_replaced_alone() {
        let folder = Folder::new("tier");
        let disposable =
            |tier, text| refresh(folder.path(), &change(ListName::Disposable, tier, text, true)).unwrap();
        disposable(None, "one.example\ntwo.example 2\nboth.example");
        assert_eq!(disposable(Some(Tier::Curated), "new.example").before, 2);
        let expected = [("new.example".to_owned(), 1), ("two.example".to_owned(), 2)];
        assert_eq!(listed(&folder, ListName::Disposable), expected);

        disposable(Some(Tier::Broad), "new.example\nthree.example");
        let expected = [("new.example".to_owned(), 1), ("three.example".to_owned(), 2)];
        assert_eq!(listed(&folder, ListName::Disposable), expected);

        let lists = Lists::load(folder.path()).unwrap();
        let tiers: Vec<_> =
            lists.manifest()[&ListName::Disposable].iter().map(|s| (s.tier, s.entries)).collect();
        assert!(tiers.ends_with(&[(Some(Tier::Curated), 1), (Some(Tier::Broad), 1)]), "{tiers:?}");
    }

    #[test]
    fn providers_and_relays_never_become_disposable() {
        let folder = Folder::new("never");
        let text = "gmail.com\nduck.com\njane.anonaddy.com\ntrash.example\nnot a domain";
        let done = refresh(folder.path(), &change(ListName::Disposable, None, text, true)).unwrap();
        assert_eq!((done.after, done.kept_out, done.refused.len()), (1, 3, 1));
        assert_eq!(listed(&folder, ListName::Disposable), [("trash.example".to_owned(), 1)]);
    }

    #[test]
    fn disposable_domains_never_become_free_providers() {
        let folder = Folder::new("free");
        let text = "gmail.com\nmailinator.com\nduck.com";
        let done = refresh(folder.path(), &change(ListName::FreeProviders, None, text, true)).unwrap();
        assert_eq!((done.after, done.kept_out), (1, 2));
    }

    #[test]
    fn nothing_temporary_stays_behind() {
        let folder = Folder::new("temporary");
        refresh(folder.path(), &change(ListName::Parking, None, "a.example", true)).unwrap();
        let mut files: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["manifest.json", "parking.domains"]);
    }
}
