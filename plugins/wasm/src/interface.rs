//! Imports and exports of a component, by name: what it needs, and whether it may have that.

use std::collections::BTreeSet;

use wasmtime::{Engine, component::Component};

use crate::{Grant, PluginError, error::shown, grants::WASI_PACKAGES};

/// Our package.
const PACKAGE: &str = "mailsonde:stage/";

/// What every version that is known begins with.
const MAJOR: &str = "1.";

/// Interfaces that every plugin may import.
const FREE: &[&str] = &["log", "config", "clock", "plugin"];

/// What a component imports, as far as it matters.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// Names of all imported interfaces, sorted.
    pub(crate) imports: Vec<String>,
    /// Names of all exported interfaces, sorted.
    pub(crate) exports: Vec<String>,
}

/// What an imported interface asks for.
enum Need<'i> {
    Nothing,
    Wasi,
    Grant(Grant),
    /// Of our package, in a version that we do not know.
    Version(&'i str),
    Forbidden,
}

impl Interface {
    pub(crate) fn of(engine: &Engine, component: &Component) -> Self {
        let kind = component.component_type();
        let mut imports: Vec<_> = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let mut exports: Vec<_> = kind.exports(engine).map(|(name, _)| name.to_owned()).collect();
        imports.sort_unstable();
        exports.sort_unstable();
        Self { imports, exports }
    }

    /// The grants without which the component cannot be loaded.
    pub(crate) fn grants(&self) -> BTreeSet<Grant> {
        let grant = |import: &String| match need(import) {
            Need::Grant(grant) => Some(grant),
            _ => None,
        };
        self.imports.iter().filter_map(grant).collect()
    }

    /// Whether a language's runtime wants WASI.
    pub(crate) fn uses_wasi(&self) -> bool {
        self.imports.iter().any(|import| matches!(need(import), Need::Wasi))
    }

    /// The smallest world of ours that has all the imports.
    pub(crate) fn world(&self) -> &'static str {
        let grants = self.grants();
        match (grants.contains(&Grant::Dns), grants.contains(&Grant::Cache)) {
            (false, false) => "pure",
            (true, false) => "with-dns",
            (false, true) => "with-cache",
            (true, true) => "full",
        }
    }

    /// Whether the component is a plugin that may have what it imports.
    pub(crate) fn check(&self, grants: &[Grant]) -> Result<(), PluginError> {
        let is_plugin = |export: &String| {
            export.strip_prefix(PACKAGE).and_then(|name| name.strip_prefix("plugin@")).is_some_and(is_known)
        };
        if !self.exports.iter().any(is_plugin) {
            let found = if self.exports.is_empty() { "nothing".into() } else { quoted(&self.exports) };
            return Err(PluginError::Version { found });
        }
        for import in &self.imports {
            match need(import) {
                Need::Nothing | Need::Wasi => {}
                Need::Grant(grant) if grants.contains(&grant) => {}
                Need::Grant(grant) => {
                    return Err(PluginError::NotGranted { import: shown(import), grant });
                }
                Need::Version(found) => {
                    let why = format!("it imports `{import}`, and version {found} is not known here");
                    return Err(PluginError::Mismatch(shown(&why)));
                }
                Need::Forbidden => return Err(PluginError::Forbidden { import: shown(import) }),
            }
        }
        Ok(())
    }
}

fn need(import: &str) -> Need<'_> {
    if WASI_PACKAGES.iter().any(|package| import.starts_with(package)) {
        return Need::Wasi;
    }
    let Some((name, version)) = import.strip_prefix(PACKAGE).and_then(|name| name.split_once('@')) else {
        return Need::Forbidden;
    };
    match name {
        _ if !is_known(version) => Need::Version(version),
        "dns" => Need::Grant(Grant::Dns),
        "cache" => Need::Grant(Grant::Cache),
        name if FREE.contains(&name) => Need::Nothing,
        _ => Need::Forbidden,
    }
}

fn is_known(version: &str) -> bool {
    version.starts_with(MAJOR)
}

/// The first of these names, in quotes: a component may have thousands.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let first = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = names.len().saturating_sub(SHOWN);
    shown(&if more > 0 { format!("{first} and {more} more") } else { first })
}
