//! One version of a plugin, ready to start guests: compiled, linked with what it was granted and nothing else, and tried
//! on a harmless address.

use std::sync::Arc;

use mailsonde_engine::{Always, Clock, Lookup, LookupFailure, Resolver, SystemClock};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::{
    CallFault, Description, Grant, PluginConfig, PluginError,
    bindings::{FullPre, exports::mailsonde::stage::plugin as wit, mailsonde::stage},
    configuration::Configuration,
    error::shown,
    grants::{Cache, DnsQueries, link_wasi, redacted},
    host::Shared,
    instance::{Given, Instance, within},
    interface::Interface,
    limits::LOAD_CALL_MAX,
    room::{self, Reserved},
    source::Source,
    state::State,
};

/// A compiled and linked component with its limits.
pub(crate) struct Program {
    /// Name of the stage.
    pub(crate) name: Arc<str>,
    pub(crate) host: Arc<Shared>,
    pub(crate) pre: FullPre<State>,
    pub(crate) uses_wasi: bool,
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) memory_max: usize,
    pub(crate) cpu_max: std::time::Duration,
    /// SHA-256 of the file.
    pub(crate) digest: String,
    /// Parts of an instance that take room.
    parts: usize,
}

impl Program {
    /// Compiles and links what a file holds.
    pub(crate) fn of(
        host: &Arc<Shared>,
        name: &Arc<str>,
        config: &PluginConfig,
        source: &Source,
    ) -> Result<Self, PluginError> {
        let component = host.compiled(source)?;
        let interface = Interface::of(&host.engine, &component);
        Self::linked(host, name, config, source, (&component, &interface))
    }

    /// Links a component with what it is granted.
    pub(crate) fn linked(
        host: &Arc<Shared>,
        name: &Arc<str>,
        config: &PluginConfig,
        source: &Source,
        (component, interface): (&Component, &Interface),
    ) -> Result<Self, PluginError> {
        interface.check(&config.grants)?;
        let uses_wasi = interface.uses_wasi();
        Ok(Self {
            name: name.clone(),
            host: host.clone(),
            pre: linked(host, component, &config.grants, uses_wasi)?,
            uses_wasi,
            configuration: Arc::new(Configuration::new(config.config.clone())),
            memory_max: usize::try_from(config.memory_max.as_u64()).unwrap_or(usize::MAX),
            cpu_max: config.cpu_max,
            digest: source.digest.clone(),
            parts: room::parts(component),
        })
    }

    /// Room for so many instances.
    pub(crate) fn reserve(&self, instances: usize) -> Result<Reserved, PluginError> {
        self.host.room.reserve(instances, self.parts)
    }

    /// Asks a guest what it is.
    pub(crate) async fn describe(&self) -> Result<Description, PluginError> {
        let failed = |call| move |fault| PluginError::Call { call, fault };
        let mut guest = within(LOAD_CALL_MAX, self.start(&SystemClock)).await.map_err(failed("start"))?;
        let said = within(LOAD_CALL_MAX, guest.describe(self)).await.map_err(failed("describe"))?;
        Description::new(said)
    }

    /// Whether a guest takes its configuration and does its work on harmless addresses.
    pub(crate) async fn try_out(&self, description: &Description) -> Result<(), PluginError> {
        let configured = within(LOAD_CALL_MAX, self.start_configured(&SystemClock)).await;
        let failed = |call| move |fault| PluginError::Call { call, fault };
        let refused = |said: String| PluginError::Refused(redacted(&said));
        let mut guest = configured.map_err(failed("configure"))?.map_err(refused)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        within(LOAD_CALL_MAX, self.try_guest(&mut guest, &clock, description))
            .await
            .map_err(failed("check-many"))
    }

    /// Asks about addresses that every plugin must bear, without a network and without facts; as many at a time as it
    /// wants.
    pub(crate) async fn try_guest(
        &self,
        guest: &mut Instance,
        clock: &Arc<dyn Clock>,
        description: &Description,
    ) -> Result<(), CallFault> {
        guest.hush();
        let sample = |input, address| wit::Subject { input, address, facts: &[] };
        let address = wit::Address { local: "postmaster", domain: "example.com" };
        let subjects = [sample("postmaster@example.com", Some(address)), sample("no address", None)];
        for call in subjects.chunks(description.call_subjects) {
            let resolver: Arc<dyn Resolver> = Arc::new(Always(Lookup::Failed(LookupFailure::Unreachable)));
            let given = Given {
                dns: Some(DnsQueries::new(resolver, call.len())),
                cache: Some(Cache::new().view(None)),
                clock: clock.clone(),
            };
            guest.check_many(self, given, call).await?;
        }
        Ok(())
    }
}

fn linked(
    host: &Arc<Shared>,
    component: &Component,
    grants: &[Grant],
    uses_wasi: bool,
) -> Result<FullPre<State>, PluginError> {
    let link = || {
        let mut linker = Linker::new(&host.engine);
        stage::log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        stage::config::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        stage::clock::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        if grants.contains(&Grant::Dns) {
            stage::dns::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        }
        if grants.contains(&Grant::Cache) {
            stage::cache::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
        }
        if uses_wasi {
            link_wasi(&mut linker)?;
        }
        FullPre::new(linker.instantiate_pre(component)?)
    };
    link().map_err(|error| PluginError::Mismatch(shown(&format!("{error:#}"))))
}

/// Runs what loading has to wait for, on a thread that serves nobody else.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, PluginError>>) -> Result<T, PluginError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(|error| PluginError::Runtime(error.to_string()))?.block_on(work)
}
