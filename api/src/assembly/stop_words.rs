//! Whether the words of `stop_on` mean something: findings, and plugins whose opinions stop an address's way.

use mailsonde_config::{ConfigError, Settings, StageSection, did_you_mean};
use mailsonde_engine::STOP_WORDS;

use super::{STAGES, plugins};

/// Refuses words that nothing is called by.
pub(super) fn check(settings: &Settings, section: &StageSection<'_>) -> Result<(), ConfigError> {
    for (position, word) in section.slot.stop_on.iter().enumerate() {
        if STOP_WORDS.contains(&word.as_str()) || plugins::is_plugin(settings, word) {
            continue;
        }
        let message = if STAGES.iter().any(|kind| kind.name == word) {
            format!("the stage `{word}` has no opinions; only plugins have")
        } else {
            let plugins: Vec<&str> = plugins::names(settings).collect();
            let hint = did_you_mean(word, STOP_WORDS.iter().copied().chain(plugins));
            format!("nothing is called `{word}`{hint}")
        };
        return Err(section.invalid(&format!("stop_on.{position}"), message));
    }
    Ok(())
}

/// Refuses plugins that a pipeline (its name, and the names of its stages) has only after the stage at `position`, or
/// there: their opinions come too late.
pub(super) fn check_order(
    settings: &Settings,
    section: &StageSection<'_>,
    pipeline: &str,
    names: &[String],
    position: usize,
) -> Result<(), ConfigError> {
    let (before, rest) = names.split_at(position);
    for (word_position, word) in section.slot.stop_on.iter().enumerate() {
        if plugins::is_plugin(settings, word) && rest.contains(word) && !before.contains(word) {
            let message =
                format!("the stage `{word}` does not stand before this one in the pipeline `{pipeline}`");
            return Err(section.invalid(&format!("stop_on.{word_position}"), message));
        }
    }
    Ok(())
}
