//! New versions of plugins, while the process works: a changed file is loaded beside the running version and takes over
//! if it is right. Nothing that is under way is lost, and a bad new version changes nothing.

use std::{convert::Infallible, sync::Arc};

use mailsonde_engine::Stage as _;
use mailsonde_wasm::{PluginError, WATCH_EVERY, WasmStage};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

/// Looks at the files of plugins for as long as it is polled. SIGHUP loads all of them anew where the process has no
/// controlling terminal; with one, SIGHUP ends the process as ever. The signal is heeded from this call on.
///
/// # Panics
/// Outside a tokio runtime.
pub fn keep_plugins_fresh(plugins: Vec<Arc<WasmStage>>) -> impl Future<Output = Infallible> + Send {
    let hangup = Hangup::new();
    watch(plugins, hangup)
}

async fn watch(plugins: Vec<Arc<WasmStage>>, mut hangup: Hangup) -> Infallible {
    // Which of them wait for room: told once, however often it is tried.
    let mut waiting = Vec::new();
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let all = tokio::select! {
            _ = ticks.tick() => false,
            () = hangup.received() => true,
        };
        let plugins = plugins.clone();
        let mut are_waiting = std::mem::take(&mut waiting);
        are_waiting.resize(plugins.len(), false);
        let look = move || {
            let each = plugins.iter().zip(&mut are_waiting);
            each.for_each(|(plugin, is_waiting)| look_at(plugin, all, is_waiting));
            are_waiting
        };
        // Compiling takes a second: not on a thread that serves others. A panic there costs this round alone.
        match spawn_blocking(look).await {
            Ok(are_waiting) => waiting = are_waiting,
            // Only a runtime that is ending cancels it, and then there is nothing left to keep fresh.
            Err(error) if error.is_cancelled() => std::future::pending().await,
            Err(error) => tracing::error!("looking for new versions of plugins: {error}"),
        }
    }
}

/// Loads a plugin anew if its file has changed, or in any case; and lets its instances go that have nothing to do.
fn look_at(plugin: &WasmStage, in_any_case: bool, is_waiting: &mut bool) {
    plugin.sweep();
    if !in_any_case && !plugin.has_changed() {
        return;
    }
    let name = plugin.name();
    match plugin.reload() {
        Ok(()) => {
            *is_waiting = false;
            let version = plugin.description().version;
            tracing::info!(plugin = name, "a new version takes over: {version}, sha256 {}", plugin.digest());
        }
        Err(error) => {
            let lacks_room = matches!(error, PluginError::NoRoom { .. });
            if !(lacks_room && *is_waiting) {
                tracing::error!(plugin = name, "the new version is refused, the old one goes on: {error}");
            }
            *is_waiting = lacks_room;
        }
    }
}

/// SIGHUP, where it is ours to heed.
struct Hangup(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangup {
    #[cfg(unix)]
    fn new() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let has_terminal = std::fs::File::open("/dev/tty").is_ok();
        Self(if has_terminal { None } else { signal(SignalKind::hangup()).ok() })
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self()
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
