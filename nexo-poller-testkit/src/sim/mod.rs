//! The runner under virtual time.
//!
//! Lives here: [`Simulation`], which says what there is and what goes wrong; the world that it runs in; the [`History`] of
//! what happened, as values, as text and as a drawing.
//!
//! May not enter: decisions. Whether and when a job runs is decided by `nexo_poller::runner`, never here.

mod assertion;
mod clock;
mod decisions;
mod history;
mod ledger;
mod local;
mod moment;
mod process;
mod query;
mod random;
mod random_fault;
mod recorder;
mod run;
mod scenario;
mod seeds;
mod simulation;
mod source;
mod stalled;
mod svg;
mod text;
mod trouble;
mod world;

pub use self::history::{Broken, Cause, End, Entry, History, RetryReason, Run, SimulatedJob, SkipReason, Text, What};
pub use self::moment::{Moment, days, hours, minutes};
pub use self::query::Firing;
pub use self::simulation::Simulation;
