//! One pipeline in all the variants that requests ask for: each is made once, and then it is there.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use mailsonde_config::{ConfigError, Settings};
use mailsonde_engine::{Batch, Context, Pipeline};

use super::Choice;
use crate::metrics::{Metrics, PipelineMetrics};

/// See the module. There are as many variants as a [`Choice`] has values, and no more.
pub(crate) struct Variants {
    pipeline: Pipeline,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    made: RwLock<HashMap<Choice, Arc<Variant>>>,
}

/// One of them, whose stages are counted.
pub(crate) struct Variant {
    pipeline: Pipeline,
    metrics: PipelineMetrics,
}

impl Variant {
    /// Runs a batch through it.
    pub(crate) async fn run(&self, cx: &Context, batch: &mut Batch) {
        let reports = self.pipeline.run(cx, batch).await;
        self.metrics.passed(&reports);
    }

    /// Whether a stage is in it.
    pub(crate) fn has(&self, stage: &str) -> bool {
        self.pipeline.has(stage)
    }
}

impl Variants {
    /// Of this pipeline, which has all stages of its configuration.
    pub(crate) fn new(pipeline: Pipeline, settings: Arc<Settings>, metrics: Arc<Metrics>) -> Self {
        Self { pipeline, settings, metrics, made: RwLock::default() }
    }

    /// The pipeline with what is chosen.
    ///
    /// # Errors
    /// The table of a plugin that is wrong.
    pub(crate) fn of(&self, choice: Choice) -> Result<Arc<Variant>, ConfigError> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&choice).cloned();
        if let Some(made) = made {
            return Ok(made);
        }
        let skips = self.skips(choice)?;
        let skips: Vec<&str> = skips.iter().map(String::as_str).collect();
        let pipeline = self.pipeline.without(&skips);
        let variant = Arc::new(Variant { metrics: self.metrics.of_pipeline(&pipeline), pipeline });
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        Ok(made.entry(choice).or_insert(variant).clone())
    }

    /// The stages that are left out then.
    ///
    /// # Errors
    /// The table of a plugin that is wrong.
    pub(crate) fn skips(&self, choice: Choice) -> Result<Vec<String>, ConfigError> {
        choice.skips(&self.settings)
    }

    /// The pipeline's name, by which jobs ask for it.
    pub(crate) fn name(&self) -> &str {
        self.pipeline.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assembly::{Parts, pipeline};

    #[test]
    fn a_variant_lacks_what_was_switched_off_and_is_made_once() {
        let settings: Arc<Settings> = Arc::new("[dns]\nservers = ['127.0.0.1:9']".parse().unwrap());
        let parts = Parts::new(&settings).unwrap();
        let whole = pipeline(&settings, &parts, "verify", &[]).unwrap();
        let variants = Variants::new(whole, settings.clone(), Arc::new(Metrics::new().unwrap()));
        let quiet = Choice { check_smtp: false, check_random: false, ..Choice::default() };
        let made = variants.of(quiet).unwrap();
        assert!(!made.has("smtp-probe") && !made.has("random-pattern") && made.has("syntax"));
        assert!(Arc::ptr_eq(&made, &variants.of(quiet).unwrap()));
        assert!(variants.of(Choice::default()).unwrap().has("random-pattern"));
    }
}
