//! `clock`: the time at which the call began.

use wasmtime::Result;

use crate::{bindings::mailsonde::stage::clock, state::State};

impl clock::Host for State {
    fn now(&mut self) -> Result<f64> {
        self.host_call()?;
        Ok(self.now)
    }
}
