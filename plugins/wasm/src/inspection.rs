//! A look at a plugin that nobody has configured yet.

use std::{path::Path, sync::Arc};

use crate::{
    Description, Grant, PluginConfig, PluginError, host::Shared, interface::Interface, program::Program,
    source::Source,
};

/// What a plugin is, and what it needs.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// SHA-256 of the file, in hexadecimal: what `sha256` in the configuration pins.
    pub digest: String,
    /// Octets of the file.
    pub octets: usize,
    /// The smallest world of the interface that has all its imports.
    pub world: &'static str,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    /// Interfaces that it exports.
    pub exports: Vec<String>,
    /// Grants without which it is not loaded.
    pub grants: Vec<Grant>,
    /// What it says of itself.
    pub description: Description,
}

impl Inspection {
    pub(crate) fn of(host: &Arc<Shared>, path: &Path) -> Result<Self, PluginError> {
        let source = Source::read(path, None)?;
        let component = host.compiled(&source)?;
        let interface = Interface::of(&host.engine, &component);
        let grants: Vec<Grant> = interface.grants().into_iter().collect();
        let config = PluginConfig { grants: grants.clone(), ..PluginConfig::new(path) };
        let program = Program::linked(host, &"inspected".into(), &config, &source, (&component, &interface))?;
        let _room = program.reserve(1)?;
        let description = crate::program::block_on(program.describe())?;
        Ok(Self {
            digest: source.digest,
            octets: source.octets.len(),
            world: interface.world(),
            imports: interface.imports,
            exports: interface.exports,
            grants,
            description,
        })
    }
}
