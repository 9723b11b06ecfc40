//! `mailsonde forget`: removes people from everything that is kept.

use std::{
    io::{self, Write},
    path::Path,
};

use anyhow::Result;
use mailsonde_engine::Address;

use super::{Usage, args::ForgetArgs, service::Service};
use crate::{
    jobs::{
        forget::{Forgotten, forget},
        person,
    },
    store::Store,
};

/// Runs the command. All addresses are read before the first is forgotten.
pub(super) fn run(config: Option<&Path>, args: &ForgetArgs) -> Result<()> {
    let addresses = args.addresses.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
    let service = Service::open(config)?;
    let done = service.runtime.block_on(forget_all(&service.store, &addresses));
    service.close()?;
    done
}

async fn forget_all(store: &Store, addresses: &[Address]) -> Result<()> {
    for address in addresses {
        let Forgotten { history, rows, answers, requests } = forget(store, address).await?;
        writeln!(
            io::stdout().lock(),
            "{address}: {history} memories, {rows} rows of jobs, {answers} kept answers and {requests} requests are removed"
        )?;
    }
    Ok(())
}

/// The address under any grammar: whatever was once taken in can be forgotten.
fn address(text: &str) -> Result<Address> {
    Ok(person::address(text)
        .ok_or_else(|| Usage(format!("`{}` is no address", super::human::escaped(text))))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_every_grammar_can_be_forgotten() {
        for text in ["jane@example.org", " jane@example.org", "\"jane doe\"@example.org", "jane@[192.0.2.1]"]
        {
            assert!(address(text).is_ok(), "{text}");
        }
        let refused = address("jane").unwrap_err();
        assert!(refused.is::<Usage>() && refused.to_string() == "`jane` is no address");
    }
}
