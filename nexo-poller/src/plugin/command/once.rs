use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::args::TickArgs;
use super::console::ConsoleHost;
use super::failure::Failure;
use super::report::{Ended, Report};
use super::{chosen, input};
use crate::contract::{PollerError, PollerHost, TickAck};
use crate::plugin::PollerHandler;
use crate::plugin::runtimes::Runtimes;
use crate::plugin::ticks::{TickGrace, TickRunner};
use crate::wire::TickOrder;

/// Runs one tick against the console.
pub(super) fn run(handler: &PollerHandler, args: &TickArgs, out: File) -> Result<(), Failure> {
    let bench = Bench::new(handler, args)?;
    let cursor = input::cursor(args.cursor.as_deref())?;
    let config = input::config(args.config.as_deref())?;
    let report = Report::to_stdout(out, args.json);
    let (runtimes, ticks) = start(handler)?;
    let interval = Duration::from_secs(60);
    let outcome = runtimes.run(bench.tick(&ticks, &report, config, cursor, interval))?;
    outcome.map(|_| ()).map_err(|error| Failure::of_tick(error.class()))
}

/// The runtimes for ticks in front of the author, who is shown the messages of panics.
pub(super) fn start(handler: &PollerHandler) -> Result<(Runtimes, TickRunner), Failure> {
    let runtimes = Runtimes::start(1).map_err(|error| Failure::other(format!("threads cannot be started: {error}")))?;
    let ticks = handler.ticks(runtimes.authors(), TickGrace::default());
    Ok((runtimes, ticks))
}

/// One job on the author's bench: everything about its ticks that does not change.
pub(super) struct Bench<'a> {
    pub(super) kind: &'static str,
    args: &'a TickArgs,
}

impl<'a> Bench<'a> {
    pub(super) fn new(handler: &PollerHandler, args: &'a TickArgs) -> Result<Self, Failure> {
        let kind = chosen::kind(handler, args.kind.as_deref())?.declaration.kind;
        // Pollers that cannot share a plugin are refused here as they are where they are served.
        handler.manifest()?;
        Ok(Self { kind, args })
    }

    /// Runs one tick and shows it. An `Err` outside means that it could not be shown.
    pub(super) async fn tick(
        &self,
        ticks: &TickRunner,
        report: &Report,
        config: serde_json::Value,
        cursor: Option<Vec<u8>>,
        interval_hint: Duration,
    ) -> Result<Result<TickAck, PollerError>, Failure> {
        let args = self.args;
        report.begin(self.kind, &args.job, &args.agent)?;
        let host = Arc::new(ConsoleHost::new(&args.agent, &args.accounts, report.watch()));
        let order = TickOrder {
            kind: self.kind.to_owned(),
            job_id: args.job.clone(),
            agent_id: args.agent.clone(),
            cursor,
            config,
            now: args.now.unwrap_or_else(Utc::now),
            interval_hint,
        };
        let started = Instant::now();
        let outcome = ticks.run(order, Arc::clone(&host) as Arc<dyn PollerHost>).await;
        let took = started.elapsed();
        let (job, agent, effects) = (&args.job, &args.agent, host.effects());
        report.end(&Ended { kind: self.kind, job, agent, outcome: &outcome, effects, took })?;
        Ok(outcome)
    }
}
