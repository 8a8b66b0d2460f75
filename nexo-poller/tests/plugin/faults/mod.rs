//! What plugins do wrong, with real processes: the daemon's side survives each fault and says in one sentence what is
//! wrong; other plugins' ticks go on; no zombie and no orphan is left.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is the report")]

#[cfg(feature = "runner")]
mod alike;
mod ending;
mod ephemeral;
mod starting;
mod ticking;
mod world;
