use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

/// Which tick it is: in whose name its host answers, and what the ids of its publishes are derived from. Whoever runs a tick
/// makes one, and everything that has to know which tick it serves takes it from there.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TickIdentity {
    /// The poller's kind.
    pub kind: Arc<str>,
    /// The job.
    pub job_id: Arc<str>,
    /// The agent that owns the job. A host answers for no other.
    pub agent_id: Arc<str>,
    /// The run's key within the job: the instant that the schedule names. A retry has the same one. `None` where it is not
    /// known: the protocol does not carry it to plugins, and a tick outside any schedule has none.
    pub run_key: Option<DateTime<Utc>>,
    /// The cursor that the tick starts from.
    pub cursor_before: Option<Arc<[u8]>>,
}

impl TickIdentity {
    /// The first tick of a job, outside any schedule.
    #[must_use]
    pub fn new(kind: impl Into<Arc<str>>, job_id: impl Into<Arc<str>>, agent_id: impl Into<Arc<str>>) -> Self {
        Self { kind: kind.into(), job_id: job_id.into(), agent_id: agent_id.into(), run_key: None, cursor_before: None }
    }

    /// Sets the run's key.
    #[must_use]
    pub fn with_run_key(self, run_key: DateTime<Utc>) -> Self {
        Self { run_key: Some(run_key), ..self }
    }

    /// Sets where the tick starts from.
    #[must_use]
    pub fn with_cursor(self, cursor: Option<impl Into<Arc<[u8]>>>) -> Self {
        Self { cursor_before: cursor.map(Into::into), ..self }
    }
}

/// Shows how long the cursor is, and nothing of it: it may hold a secret.
impl fmt::Debug for TickIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TickIdentity")
            .field("kind", &self.kind)
            .field("job_id", &self.job_id)
            .field("agent_id", &self.agent_id)
            .field("run_key", &self.run_key)
            .field("cursor_bytes", &self.cursor_before.as_ref().map(|cursor| cursor.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_tick_has_the_size_of_its_cursor_and_none_of_its_bytes() {
        let tick = TickIdentity::new("jira", "ana_jira", "ana").with_cursor(Some(b"hunter2".as_slice()));
        let shown = format!("{tick:?}");
        assert!(shown.contains("ana_jira") && shown.contains("cursor_bytes: Some(7)"), "{shown}");
        let bytes = format!("{:?}", b"hunter2");
        assert!(!shown.contains("hunter2") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
    }
}
