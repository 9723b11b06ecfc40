//! `mailsonde openapi`: what can be asked of the service, for programs. It is printed without a configuration, since nothing
//! in it depends on one.

use std::io::{self, Write as _};

use anyhow::Result;

use crate::{access::Facade, http};

/// Prints the document of a facade, or the whole.
pub(super) fn run(facade: Option<Facade>) -> Result<()> {
    let document = match facade {
        None => http::whole(),
        Some(facade) => http::document_of(facade),
    };
    Ok(writeln!(io::stdout(), "{}", document.to_pretty_json()?)?)
}
