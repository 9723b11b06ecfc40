//! The binary `mailsonde`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Hundreds of requests take room at once, and give it back on another thread than the one that took it: with the system's
/// allocator, threads wait for each other there.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    mailsonde::cli::run()
}
