//! One task that owns all jobs: a queue, batches to the store, ticks in flight.
//!
//! A job goes round: timeline → parked or ready → claim → tick → commit → timeline. Nothing of a job is held by a task
//! or a timer of its own but while its tick runs, and nothing becomes due again before its last outcome is durable.
//!
//! One task, because every decision about a job needs what the last one left behind: with a task or a lock for each job, a
//! reload, a clock that was set and a full batch would each have to wait for all of them. It never waits itself: the store's
//! answers and the ends of ticks come to it as events.
//!
//! The parts keep their own invariants and know nothing of each other: [`jobs`] (which jobs there are), [`queue`] (what each
//! waits for), [`kinds`] (the places of each kind), [`flights`] (the ticks that run) and [`outbox`] (what goes to the store).
//! [`core`] has the `Engine`, which holds them; the other files take one event each from part to part.

mod alerts;
mod answers;
mod change;
mod changes;
mod claims;
mod clock_jumps;
mod clock_watch;
mod commands;
mod configs;
mod core;
mod draining;
mod due;
mod event_loop;
mod flight;
mod flights;
#[cfg(test)]
mod flights_tests;
mod index;
mod job;
mod jobs;
mod kinds;
mod leases;
mod lost_rows;
mod manual;
mod manual_runs;
mod membership;
mod observe;
mod outage;
mod outbox;
#[cfg(test)]
mod outbox_tests;
mod outcomes;
mod pending;
mod prepared;
mod queue;
mod reload;
mod reopen;
mod reply;
mod report;
mod routing;
mod shutdown;
mod start;
mod status;
mod tick;

pub(crate) use self::change::ChangeRequest;
pub(crate) use self::commands::{EngineCommand, Install};
pub(crate) use self::core::Engine;
pub(crate) use self::manual::ManualRun;
pub(crate) use self::prepared::{Prepared, Preparer};
