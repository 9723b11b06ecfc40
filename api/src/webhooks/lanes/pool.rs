//! Places that all clients share. Whoever has as many as are free gets no more: one alone has half of them, two have a
//! third each, and so on; who has none finds one as long as there is any.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::line::Line;

/// See the module.
pub(super) struct Pool {
    places: u32,
    /// All together, and those who wait though they have none.
    line: Line,
    /// Those who have some.
    clients: HashMap<Uuid, Line>,
}

impl Pool {
    pub(super) fn new(places: u32) -> Self {
        Self { places, line: Line::default(), clients: HashMap::new() }
    }

    /// Whether this client may take a place.
    ///
    /// # Errors
    /// How long to wait, if not.
    pub(super) fn admit(&mut self, client: Uuid, now: Instant) -> Result<(), Duration> {
        let free = self.places - self.line.under_way;
        let line = match self.clients.get_mut(&client) {
            Some(own) if own.under_way < free => return Ok(()),
            None if free > 0 => return Ok(()),
            Some(own) => own,
            None => &mut self.line,
        };
        Err(line.turn(now, now))
    }

    pub(super) fn take(&mut self, client: Uuid) {
        self.line.take();
        self.clients.entry(client).or_default().take();
    }

    pub(super) fn leave(&mut self, client: Uuid, took: Duration) {
        self.line.leave(took);
        if let Some(own) = self.clients.get_mut(&client) {
            own.leave(took);
            if own.under_way == 0 {
                self.clients.remove(&client);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.line.under_way == 0 && self.clients.is_empty()
    }
}
