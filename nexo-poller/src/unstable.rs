//! What our daemon and testkit need of the inside. It may change with any release, and promises no stability.

pub use crate::contract::redact::SECRET_WORDS;
pub use crate::tick::{
    AuthorTick, Panicked, PublishList, TickGate, catch_now, hide_messages, hide_messages_of_ticks, watch,
};
#[cfg(any(feature = "builtins", feature = "llm"))]
pub use crate::tls::{choose_cryptography, why_no_client};
