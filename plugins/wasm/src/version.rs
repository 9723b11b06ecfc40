//! One version of a plugin: its program, what it says of itself, its instances and its breaker. Batches that begin with
//! a version end with it, whatever is loaded meanwhile.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use mailsonde_engine::{Clock, StageError};
use tokio::sync::SemaphorePermit;

use crate::{
    CallFault, Description, PluginConfig, PluginError,
    breaker::{Admission, Breaker, Trial},
    host,
    instance::Instance,
    pool::Pool,
    program::{Program, block_on},
    room::Reserved,
    source::{Source, Stamp},
};

/// A version, for as long as batches work with it.
pub(crate) struct Version {
    pub(crate) program: Program,
    pub(crate) description: Description,
    pub(crate) pool: Pool,
    pub(crate) breaker: Breaker,
    /// Given back when all else is gone.
    _room: Reserved,
}

impl Version {
    /// Loads what the file holds now, and tries it out.
    pub(crate) fn load(
        host: &Arc<host::Shared>,
        name: &Arc<str>,
        config: &PluginConfig,
    ) -> Result<(Self, Stamp), PluginError> {
        let source = Source::read(&config.wasm, config.sha256.as_deref())?;
        let program = Program::of(host, name, config, &source)?;
        let room = program.reserve(config.instances_max.max(1))?;
        let (description, usual) = block_on(async {
            let description = program.describe().await?;
            let began = Instant::now();
            program.try_out(&description).await?;
            Ok((description, began.elapsed()))
        })?;
        let pool = Pool::new(config.instances_max);
        Ok((Self { program, description, pool, breaker: Breaker::new(usual), _room: room }, source.stamp))
    }

    /// Lets a batch in, unless the plugin is parked. It waits for a place first, so that trials too are no more than
    /// there are places; but nobody waits for a plugin that is parked.
    pub(crate) async fn admit(
        &self,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<SemaphorePermit<'_>>, StageError> {
        if let Some(left) = self.breaker.parked() {
            return Err(parked(left));
        }
        let place = self.pool.place().await;
        match self.breaker.admit() {
            Admission::Open => {}
            Admission::Parked(left) => return Err(parked(left)),
            Admission::Trial(trial) => self.pass(trial, clock).await?,
        }
        Ok(place)
    }

    async fn pass(&self, trial: Trial<'_>, clock: &Arc<dyn Clock>) -> Result<(), StageError> {
        // Trials take the places of those that wait for work.
        self.pool.clear();
        match self.try_now(clock).await {
            Ok(()) => {
                trial.passed();
                Ok(())
            }
            Err(fault) => {
                let parked_for = seconds(trial.failed());
                tracing::error!(plugin = &*self.program.name, "parked for {parked_for}: {fault}");
                Err(stage_error(format!("the plugin keeps failing and is parked: {fault}")))
            }
        }
    }

    async fn try_now(&self, clock: &Arc<dyn Clock>) -> Result<(), CallFault> {
        let mut guest = self.start(&**clock).await?;
        self.program.try_guest(&mut guest, clock, &self.description).await
    }

    /// A new guest that has read its configuration.
    pub(crate) async fn start(&self, clock: &dyn Clock) -> Result<Instance, CallFault> {
        // It took the same configuration when it was loaded.
        self.program
            .start_configured(clock)
            .await?
            .map_err(|_| CallFault::Garbage("that its configuration is wrong".into()))
    }
}

fn parked(left: Duration) -> StageError {
    stage_error(format!("the plugin keeps failing and is parked for another {}", seconds(left)))
}

fn stage_error(message: String) -> StageError {
    StageError { message: message.into() }
}

fn seconds(duration: Duration) -> String {
    format!("{:.0} s", duration.as_secs_f64().ceil())
}
