//! How things are said: in time, with names filled in, or in the strange way that a test wants.

use std::time::Duration;

use super::{reply::Reply, session::Session, wire::End};
use crate::say::{Ending, Say};

impl Session {
    /// Waits before saying something.
    pub(super) async fn hesitate(&mut self, says: Option<&Say>, pause: Duration) -> Result<(), End> {
        let delay = says.map_or(Duration::ZERO, |says| says.delay);
        self.wire()?.pause(delay + pause).await
    }

    /// Says the usual, or what is to be said in its place, and returns it. After 421 the session ends.
    pub(super) async fn speak(
        &mut self,
        says: Option<&Say>,
        usual: Reply,
        recipient: &str,
    ) -> Result<String, End> {
        let raw = says.and_then(|says| says.raw.clone());
        let text = says.and_then(|says| says.text.as_deref()).unwrap_or(&usual.text);
        let octets = raw.unwrap_or_else(|| on_the_wire(&self.filled(text, recipient)));
        let (times, drip) = says.map_or((1, Duration::ZERO), |says| (says.times, says.drip));
        for _ in 0..times {
            self.drip(octets.as_bytes(), drip).await?;
        }
        let is_closing = octets.starts_with("421").then_some(Ending::Close);
        match says.and_then(|says| says.then).or(usual.then).or(is_closing) {
            Some(ending) => Err(End::Ours(ending)),
            None => Ok(octets),
        }
    }

    /// Says octets with a pause before each.
    async fn drip(&mut self, octets: &[u8], pause: Duration) -> Result<(), End> {
        let wire = self.wire()?;
        if pause.is_zero() {
            return wire.say(octets).await;
        }
        for octet in octets {
            wire.pause(pause).await?;
            wire.say(&[*octet]).await?;
            wire.flush().await?;
        }
        Ok(())
    }

    fn filled(&self, text: &str, recipient: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let sender = self.transaction.as_ref().map_or("", |transaction| &*transaction.sender);
        text.replace("{rcpt}", recipient)
            .replace("{sender}", sender)
            .replace("{client}", &format!("[{}]", self.client))
            .replace("{helo}", self.helo.as_deref().unwrap_or_default())
            .replace("{host}", &self.server.name)
    }
}

/// Lines as they travel.
fn on_the_wire(text: &str) -> String {
    text.trim_end().replace('\n', "\r\n") + "\r\n"
}
