//! The scheduler, to embed in a program of your own (feature `runner`): it runs each job when it is due, decides what a failure means, and makes a job's cursor
//! durable before the job runs again.
//!
//! [`PollerRunner::builder`] starts one on a [store](crate::store), with the kinds of a [`PollerRegistry`]. A tick reaches the world through the host that your
//! [`HostProvider`] gives it; the runner itself knows nothing of channels, credentials, brokers or plugins.
#![doc = include_str!("../../docs/embedding.md")]

mod builder;
mod engine;
mod error;
mod explain;
mod handle;
mod hosts;
mod job;
mod job_id;
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
pub use self::job_id::{JobIdError, check_job_id};
pub use self::observe::{Observer, RunnerEvent, RunnerEventKind};
pub use self::options::RunnerOptions;
pub use self::plan::{RejectedJob, ReloadPlan};
pub use self::registry::{KindLimits, PollerRegistry, RegistryError};
pub use self::schedule::{Schedule, ScheduleError};
pub use self::sharing::Sharing;
pub use self::status::{BreakerState, JobPhase, JobStatus, LeaseHolder, RunnerHealth, TickReport};
pub use crate::contract::TickIdentity;
pub use crate::store::{Clock, SystemClock, UnixMs, VirtualClock};
