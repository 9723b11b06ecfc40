//! New versions of plugins, while the process works: a changed file is loaded beside the running version and takes over
//! if it is right. Nothing that is under way is lost, and a bad new version changes nothing.

use std::{convert::Infallible, sync::Arc};

use mailsonde_engine::Stage as _;
use mailsonde_wasm::{WATCH_EVERY, WasmStage};
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
    let mut ticks = interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let all = tokio::select! {
            _ = ticks.tick() => false,
            () = hangup.received() => true,
        };
        let plugins = plugins.clone();
        // Compiling takes a second: not on a thread that serves others. A panic there costs this round alone.
        let looked = spawn_blocking(move || plugins.iter().for_each(|plugin| look_at(plugin, all))).await;
        if let Err(error) = looked {
            tracing::error!("looking for new versions of plugins: {error}");
        }
    }
}

/// Loads a plugin anew if its file has changed, or in any case; and lets its instances go that have nothing to do.
fn look_at(plugin: &WasmStage, in_any_case: bool) {
    plugin.sweep();
    if !in_any_case && !plugin.has_changed() {
        return;
    }
    let name = plugin.name();
    match plugin.reload() {
        Ok(()) => {
            let version = plugin.description().version;
            tracing::info!(plugin = name, "a new version takes over: {version}, sha256 {}", plugin.digest());
        }
        Err(error) => {
            tracing::error!(plugin = name, "the new version is refused, the old one goes on: {error}");
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
