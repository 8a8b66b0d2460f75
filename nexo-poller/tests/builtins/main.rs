//! The built-in kinds against a real HTTP server on loopback.

#![cfg(feature = "builtins")]

mod agent_turn;
mod webhook_poll;
