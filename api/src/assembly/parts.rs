//! What stages are made of. Parts that cost something (the network's, the plugins' host) are made when the first stage
//! asks for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::Result;
use mailsonde_builtin::{lists::Lists, syntax};
use mailsonde_config::{Settings, StageSection};
use mailsonde_engine::{
    Address, BoxFuture, FormatCounts, Formats, History, HistoryError, Prober, Remembered, Resolver,
};
use mailsonde_net::{Commons, HickoryResolver, SmtpProber};
use mailsonde_wasm::{Host, PluginConfig, WasmStage};

use super::{compiled_folder, data_folder, plugins};

/// What stages are made of.
pub struct Parts<'s> {
    pub(super) settings: &'s Settings,
    pub(super) lists: Arc<Lists>,
    pub(super) syntax_policy: Option<syntax::Policy>,
    history: Option<Arc<dyn History>>,
    formats: Arc<dyn Formats>,
    commons: Commons,
    resolver: OnceLock<Arc<dyn Resolver>>,
    prober: OnceLock<SmtpProber>,
    host: OnceLock<Host>,
    /// Each is loaded once, however many pipelines name it.
    plugins: Mutex<BTreeMap<String, Arc<WasmStage>>>,
}

impl<'s> Parts<'s> {
    /// Reads what every stage may need.
    ///
    /// # Errors
    /// A configuration that is wrong, or a data folder that cannot be used.
    pub fn new(settings: &'s Settings) -> Result<Self> {
        Ok(Self {
            settings,
            lists: Arc::new(Lists::load(&data_folder(settings)?)?),
            syntax_policy: None,
            history: None,
            formats: Arc::new(NoMemories),
            commons: Commons::default(),
            resolver: OnceLock::new(),
            prober: OnceLock::new(),
            host: OnceLock::new(),
            plugins: Mutex::default(),
        })
    }

    /// The same parts with a syntax policy that overrides the configuration's, if there is one.
    #[must_use]
    pub fn with_syntax_policy(self, policy: Option<syntax::Policy>) -> Self {
        Self { syntax_policy: policy, ..self }
    }

    /// The same parts with a memory of mailboxes. Without one, pipelines leave the stage `history` out.
    #[must_use]
    pub fn with_history(self, history: Arc<dyn History>) -> Self {
        Self { history: Some(history), ..self }
    }

    /// The same parts with a memory of how domains make addresses of names.
    #[must_use]
    pub fn with_formats(self, formats: Arc<dyn Formats>) -> Self {
        Self { formats, ..self }
    }

    /// The same parts with a prober that shares with those of other processes.
    #[must_use]
    pub fn with_commons(self, commons: Commons) -> Self {
        Self { commons, ..self }
    }

    /// The lists that stages look things up in.
    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    pub(super) fn has_history(&self) -> bool {
        self.history.is_some()
    }

    /// The memory of mailboxes; where there is none, one without memories, so that the stage can be checked.
    pub(super) fn history(&self) -> Arc<dyn History> {
        self.history.clone().unwrap_or_else(|| Arc::new(NoMemories))
    }

    /// The memory of formats.
    pub(super) fn formats(&self) -> Arc<dyn Formats> {
        self.formats.clone()
    }

    pub(crate) fn resolver(&self) -> Result<Arc<dyn Resolver>> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver.clone());
        }
        let resolver = HickoryResolver::new(&self.settings.section("dns")?)
            .map_err(|error| self.settings.invalid("dns.servers", error.to_string()))?;
        Ok(self.resolver.get_or_init(|| Arc::new(resolver)).clone())
    }

    pub(super) fn prober(&self) -> Result<Arc<dyn Prober>> {
        if let Some(prober) = self.prober.get() {
            return Ok(Arc::new(prober.clone()));
        }
        let (config, commons) = (self.settings.section("smtp")?, self.commons.clone());
        let prober = SmtpProber::sharing(config, self.resolver()?, commons)
            .map_err(|error| self.settings.invalid(&format!("smtp.{}", error.key), error.message))?;
        Ok(Arc::new(self.prober.get_or_init(|| prober).clone()))
    }

    /// The process's prober, if a stage has asked for it.
    pub fn smtp(&self) -> Option<&SmtpProber> {
        self.prober.get()
    }

    /// The plugins that were loaded: what is to be watched for changes.
    pub fn plugins(&self) -> Vec<Arc<WasmStage>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The plugin of this table.
    pub(super) fn plugin(&self, name: &str, section: &StageSection<'_>) -> Result<Arc<WasmStage>> {
        let mut plugins = self.plugins.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = plugins.get(name) {
            return Ok(plugin.clone());
        }
        let config = plugins::config(self.settings, name, section)?;
        let resolver = plugins::resolver(self, &config)?;
        let plugin = Arc::new(self.load(name, section, config, resolver)?);
        plugins.insert(name.to_owned(), plugin.clone());
        Ok(plugin)
    }

    /// Loads a plugin that asks this resolver; what is wrong with it is said where its table has the cause.
    pub(crate) fn load(
        &self,
        name: &str,
        section: &StageSection<'_>,
        config: PluginConfig,
        resolver: Arc<dyn Resolver>,
    ) -> Result<WasmStage> {
        self.host()?.load(name, config, resolver).map_err(|error| plugins::placed(section, error))
    }

    /// The plugins' host, with the compiled code of earlier runs.
    pub(crate) fn host(&self) -> Result<&Host> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let host = Host::new(Some(compiled_folder(self.settings)?))?;
        Ok(self.host.get_or_init(|| host))
    }
}

/// Remembers nobody.
struct NoMemories;

impl History for NoMemories {
    fn recall<'a>(
        &'a self,
        addresses: &'a [&'a Address],
    ) -> BoxFuture<'a, Result<Vec<Option<Remembered>>, HistoryError>> {
        Box::pin(std::future::ready(Ok(vec![None; addresses.len()])))
    }
}

impl Formats for NoMemories {
    fn recall<'a>(
        &'a self,
        domains: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<FormatCounts>, HistoryError>> {
        Box::pin(std::future::ready(Ok(vec![FormatCounts::new(); domains.len()])))
    }
}
