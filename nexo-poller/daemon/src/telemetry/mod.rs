//! What the daemon says of itself.
//!
//! Lives here: logs, traces, counters, the stream of events, the last ticks, and taking secrets out of all of it.
//!
//! May not enter: decisions. Nothing here changes what the daemon does.

pub(crate) mod counters;
mod encoded;
pub(crate) mod feed;
mod log_writer;
pub(crate) mod logs;
pub(crate) mod pipe_writer;
pub(crate) mod recent;
pub(crate) mod redactor;
mod secret_forms;
pub(crate) mod traces;
pub(crate) mod undelivered;
