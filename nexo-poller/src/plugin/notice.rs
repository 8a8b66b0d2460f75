use std::io::Write as _;

/// Tells the operator. A plugin's stderr is its log, and few authors install a `tracing` subscriber: without one the
/// sentence goes there directly, so that it is not lost.
pub(super) fn warn(sentence: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!("{sentence}");
    } else {
        // Without a stderr nobody is left to tell.
        let _ = writeln!(std::io::stderr(), "warning: {sentence}");
    }
}

/// Tells the operator of something that is well.
#[cfg(feature = "nats")]
pub(super) fn say(sentence: &str) {
    if tracing::dispatcher::has_been_set() {
        tracing::info!("{sentence}");
    } else {
        let _ = writeln!(std::io::stderr(), "{sentence}");
    }
}
