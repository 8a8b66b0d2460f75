use crate::wire::Event;

/// Receives what a plugin does wrong; the bridge survives each fault.
pub trait BridgeObserver: Send + Sync + 'static {
    /// A line of its stdout was no protocol: garbage, too long, not text. `what` never quotes it.
    fn bad_line(&self, plugin: &str, what: &str) {
        let _ = (plugin, what);
    }

    /// It published outside its allowlist; the message was dropped.
    fn not_allowed(&self, plugin: &str, topic: &str, allowed: &[String]) {
        let _ = (plugin, topic, allowed);
    }

    /// It does not read its stdin; a message for it was dropped.
    fn not_reading(&self, plugin: &str, topic: &str) {
        let _ = (plugin, topic);
    }

    /// What it published has not gone out. `why` is a sentence on the message. A tick that has published it has not done
    /// its work, whatever it answers.
    fn lost(&self, plugin: &str, why: &str) {
        let _ = (plugin, why);
    }

    /// The same for a message that could be read: its id may tell which tick has published it.
    fn lost_message(&self, plugin: &str, message: &Event, why: &str) {
        let _ = message;
        self.lost(plugin, why);
    }
}

impl BridgeObserver for () {}
