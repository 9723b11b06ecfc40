//! `config`: what the operator wrote for the plugin.

use wasmtime::Result;

use crate::{bindings::mailsonde::stage::config, state::State};

impl config::Host for State {
    fn json(&mut self) -> Result<String> {
        self.host_call()?;
        Ok(self.configuration.json().to_owned())
    }

    fn get(&mut self, path: String) -> Result<Option<String>> {
        self.host_call()?;
        Ok(self.configuration.get(&path))
    }

    fn get_list(&mut self, path: String) -> Result<Vec<String>> {
        self.host_call()?;
        Ok(self.configuration.get_list(&path))
    }
}
