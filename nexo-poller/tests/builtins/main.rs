//! The built-in kinds against a real HTTP server on loopback.

#![cfg(feature = "builtins")]

mod webhook_poll;
