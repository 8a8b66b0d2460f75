//! The built-in kinds against a real HTTP server on loopback.

#![cfg(feature = "builtins")]
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

mod webhook_poll;
