//! Test a nexo poller without a daemon, a network or a clock.
//!
//! ```toml
//! [dev-dependencies]
//! nexo-poller-testkit = "0.3"
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! - [`JobTest`] ticks a poller by hand: config in, cursor carried over, time in the test's hands.
//! - [`MockPollerHost`] is the world that the ticks see: scripted credentials and models, a record of everything that
//!   was published, logged and counted, the manifest's allowlist enforced.
//! - [`Fault`] breaks that world where it hurts: the second publish fails, the answer is lost, the model hangs.
//! - [`TestClock`] is a wall clock that stands still.
//! - [`CrashTest`] kills a tick at a [`Point`], resumes the job, and says what was lost or repeated.
//! - `sim::Simulation` (feature `simulation`) runs the real scheduler under virtual time: a month of a job in less than a second.
//! - `conformance!` (feature `conformance`) holds a poller to fourteen checks in one line.
//! - `PluginProcess` (feature `process`) drives the author's real binary as the daemon does; `PluginPipes` breaks the protocol.
//! - `HttpReplay` (feature `http`) stands for a service that was recorded once, without its secrets.
//! - `NatsServer` (feature `nats`) is a real server on a free port, to be killed, paused and started again.
//!
//! The default features are what needs hardly a package more than the poller itself; the simulation costs those of the scheduler.
//!
//! The [`guide`] shows each of them at work.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod crash;
pub mod guide;
mod host;
#[cfg(feature = "http")]
pub mod http;
mod job;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "simulation")]
pub mod sim;

pub use self::clock::TestClock;
pub use self::crash::{CrashReport, CrashTest, CrashedTick, Delivery, Point};
pub use self::host::{Fault, LogLine, Method, MetricIncrement, MockPollerHost, Published, Selection};
pub use self::job::JobTest;
#[cfg(feature = "nats")]
pub use self::nats::{NatsCluster, NatsServer, NatsServerError, NatsServerOptions};
