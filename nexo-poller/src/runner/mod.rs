//! The scheduler: when a job runs, what a failure means, and that its cursor is durable before it runs again.
//!
//! Lives here: schedules, the pure policy, the engine with its one timeline, the registry of kinds, reload, telemetry.
//!
//! May not enter: channels, credentials, brokers, plugins, LLMs. A tick reaches the world through the host that a
//! [`HostProvider`] makes for it. Imports [`contract`](crate::contract), [`store`](crate::store) and the body of a tick only.
#![doc = include_str!("../../docs/embedding.md")]

mod builder;
mod engine;
mod error;
mod explain;
mod handle;
mod hosts;
mod job;
mod metrics;
mod observe;
mod options;
mod plan;
#[cfg_attr(not(feature = "unstable"), expect(dead_code, unreachable_pub, reason = "parts are for our testkit alone"))]
pub(crate) mod policy;
mod registry;
mod schedule;
mod seed;
mod sharing;
mod status;
#[cfg(test)]
mod tests;

pub use self::builder::RunnerBuilder;
pub use self::error::RunnerError;
pub use self::handle::PollerRunner;
pub use self::hosts::HostProvider;
pub use self::job::{CatchUp, FailureTarget, JobSpec};
pub use self::observe::{Observer, RunnerEvent, RunnerEventKind};
pub use self::options::RunnerOptions;
pub use self::plan::{RejectedJob, ReloadPlan};
pub use self::registry::{KindLimits, PollerRegistry, RegistryError};
pub use self::schedule::{Schedule, ScheduleError};
pub use self::sharing::Sharing;
pub use self::status::{BreakerState, JobPhase, JobStatus, LeaseHolder, RunnerHealth, TickReport};
pub use crate::contract::TickIdentity;
pub use crate::store::{Clock, SystemClock, UnixMs, VirtualClock};
