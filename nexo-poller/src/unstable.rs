//! What our daemon and testkit need of the inside. It may change with any release, and promises no stability.

#[cfg(any(feature = "builtins", feature = "llm"))]
pub use crate::tls::{choose_cryptography, why_no_client};
