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

#[cfg(feature = "conformance")]
#[doc = include_str!("conformance.md")]
///
/// ```no_run
#[doc = include_str!("../../tests/outside/guide_conformance.rs")]
/// # fn main() {}
/// ```
pub mod conformance {}

#[cfg(feature = "process")]
#[doc = include_str!("process.md")]
pub mod process {}

#[cfg(feature = "http")]
#[doc = include_str!("replay.md")]
pub mod replay {}

#[doc = include_str!("port.md")]
///
/// ```no_run
#[doc = include_str!("../../tests/job/port/before.rs")]
/// ```
///
/// After:
///
/// ```no_run
#[doc = include_str!("../../tests/job/port/after.rs")]
/// # fn main() {}
/// ```
pub mod port {}

#[doc = include_str!("failures.md")]
pub mod failures {}
