//! How to test a poller. Every example runs as a test of this crate.

#[doc = include_str!("failures.md")]
pub mod failures {}
