use serde_json::Value;

use super::{Event, SentId, SentIds, is_too_deep, publish_id, too_deep};
use crate::contract::{HostError, TickIdentity};

/// Who publishes: what the ids of a tick's publishes are derived from.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Publisher<'t> {
    /// The tick.
    pub tick: &'t TickIdentity,
    /// The plugin's id, or `daemon`.
    pub source: &'t str,
    /// What the tick has published so far.
    pub sent: &'t SentIds,
}

impl<'t> Publisher<'t> {
    /// `source`, the plugin's id or `daemon`, publishes in the name of `tick`, which has sent `sent` before.
    #[must_use]
    pub fn new(tick: &'t TickIdentity, source: &'t str, sent: &'t SentIds) -> Self {
        Self { tick, source, sent }
    }

    /// The event of one publish, and its id, to be [kept](SentId::keep) once it has gone out. A tick that is repeated makes the
    /// event again with the same id.
    ///
    /// # Errors
    /// [`HostError::Payload`] where `payload` is not JSON, without quoting it.
    pub fn event(&self, topic: String, payload: &[u8]) -> Result<(Event, SentId<'t>), HostError> {
        let value = payload_json(&topic, payload)?;
        let id = publish_id(&self.tick.kind, &self.tick.job_id, &topic, &value, self.tick.cursor_before.as_deref());
        let id = self.sent.next(id);
        Ok((Event::with_id(id.id(), topic, self.source, value), id))
    }
}

/// The payload of a publish as the JSON that it must be.
///
/// # Errors
/// [`HostError::Payload`], without quoting it.
pub fn payload_json(topic: &str, payload: &[u8]) -> Result<Value, HostError> {
    let mut value: Value = serde_json::from_slice(payload).map_err(|error| {
        // Where it is too deep to be read, and otherwise the position only: serde's message may quote the payload.
        if error.to_string().starts_with("recursion limit") {
            return HostError::payload(topic, too_deep());
        }
        HostError::payload(topic, format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    if is_too_deep(&value) {
        return Err(HostError::payload(topic, too_deep()));
    }
    // Whether keys keep their order depends on how the program was built; what goes out does not.
    value.sort_all_objects();
    Ok(value)
}
