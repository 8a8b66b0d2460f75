//! How to test a poller. Every example runs as a test of this crate.

#[doc = include_str!("unit_test.md")]
pub mod unit_test {}

#[doc = include_str!("time.md")]
pub mod time {}

#[doc = include_str!("faults.md")]
pub mod faults {}

#[doc = include_str!("crashes.md")]
pub mod crashes {}

#[cfg(feature = "simulation")]
#[doc = include_str!("simulation.md")]
#[doc = include_str!("daylight_saving.svg")]
pub mod simulation {}

#[doc = include_str!("failures.md")]
pub mod failures {}
