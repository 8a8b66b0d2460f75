use std::sync::{Arc, Mutex, PoisonError};

use super::supervisor::FaultLog;
use crate::broker::stdio::BridgeObserver;

/// What one process of an ephemeral plugin does wrong.
pub(super) struct TickFaults {
    /// Shared by the processes of its plugin: a new one does not begin to complain from the beginning.
    log: Arc<FaultLog>,
    /// Why something that it published has not gone out.
    lost: Mutex<Option<String>>,
}

impl TickFaults {
    pub(super) fn new(log: Arc<FaultLog>) -> Self {
        Self { log, lost: Mutex::default() }
    }

    pub(super) fn take_lost(&self) -> Option<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl BridgeObserver for TickFaults {
    fn bad_line(&self, plugin: &str, what: &str) {
        self.log.bad_line(plugin, what);
    }

    fn not_allowed(&self, _: &str, _: &str, _: &[String]) {
        self.log.not_allowed();
    }

    fn not_reading(&self, plugin: &str, topic: &str) {
        self.log.not_reading(plugin, topic);
    }

    fn lost(&self, plugin: &str, why: &str) {
        let why = self.log.lost(plugin, "its tick", why);
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| why.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_reason_why_a_message_was_lost_no_more_is_kept_than_a_person_reads() {
        let faults = TickFaults::new(Arc::default());
        faults.lost("jira", &"x".repeat(1 << 20));
        assert_eq!(faults.take_lost().unwrap().len(), 1_000);
    }
}
