//! What our daemon and testkit need of the inside. It may change with any release, and promises no stability.

pub use crate::broker::stdio::frame::{DEFAULT_MAX_LINE, FrameError, LineFramer};
pub use crate::broker::stdio::rpc::{Frame, FrameKind};
pub use crate::contract::redact::SECRET_WORDS;
pub use crate::tick::{
    AuthorTick, Panicked, PublishList, TickGate, catch_now, hide_messages, hide_messages_of_ticks, watch,
};
#[cfg(any(feature = "builtins", feature = "llm"))]
pub use crate::tls::{choose_cryptography, why_no_client};

/// What a run's end means, and when a job runs next: the decisions alone, without engine and store.
#[cfg(feature = "runner")]
pub mod policy {
    pub use crate::runner::policy::*;
}
