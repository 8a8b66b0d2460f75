use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::contract::PollContext;

/// The one method that is said on a plugin's topic for cancels.
const METHOD: &str = "poll_cancel";

/// A daemon's word that it wants a tick to end: nobody waits for its outcome any more, or its time is over. It is not answered; the
/// tick's own answer is, and comes the sooner.
///
/// A tick is named by what it was asked with. Its time tells it from the job's other ticks: a word that comes late must not end the
/// next one. Programs that do not know it do not hear it, since it has a topic of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TickCancel<'t> {
    /// The tick's kind.
    pub kind: Cow<'t, str>,
    /// Its job.
    pub job_id: Cow<'t, str>,
    /// The agent that owns the job.
    #[serde(default)]
    pub agent_id: Cow<'t, str>,
    /// The tick's time, as the order to run it had it.
    pub now: DateTime<Utc>,
}

impl<'t> TickCancel<'t> {
    /// What is said to end the tick of `ctx`.
    #[must_use]
    pub fn of(ctx: &'t PollContext) -> Self {
        Self {
            kind: ctx.kind.into(),
            job_id: ctx.job_id.as_str().into(),
            agent_id: ctx.agent_id.as_str().into(),
            now: ctx.now,
        }
    }

    /// The body that travels.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({"method": METHOD, "params": self})
    }
}

impl TickCancel<'static> {
    /// Reads a body: `{"method": "poll_cancel", "params": {…}}`, or the `params` object alone; `None` where it is neither.
    #[must_use]
    pub fn read(body: &Value) -> Option<Self> {
        if body.get("method").is_some_and(|method| method != METHOD) {
            return None;
        }
        Self::deserialize(body.get("params").unwrap_or(body)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_is_spelled_as_the_protocol_says_and_read_with_or_without_its_method() {
        let now = DateTime::parse_from_rfc3339("2026-05-17T10:00:00.25Z").unwrap().to_utc();
        let cancel = TickCancel { kind: "jira".into(), job_id: "a".into(), agent_id: "ana".into(), now };
        let params = json!({"kind": "jira", "job_id": "a", "agent_id": "ana", "now": "2026-05-17T10:00:00.250Z"});
        let body = cancel.to_value();
        assert_eq!(body, json!({"method": "poll_cancel", "params": params}));
        assert_eq!(TickCancel::read(&body).as_ref(), Some(&cancel));
        assert_eq!(TickCancel::read(&params).as_ref(), Some(&cancel));
        assert_eq!(TickCancel::read(&json!({"method": "poll_tick", "params": params})), None);
        assert_eq!(TickCancel::read(&json!({"job_id": "a"})), None);
    }
}
