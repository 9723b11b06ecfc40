//! The binary `mailsonde`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mailsonde::cli::run()
}
