//! Stop claiming → cancel → bounded drain → commit what was acknowledged → give leases back.

use std::time::Duration;

use tokio::time::Instant;

use super::claims::refuse;
use super::commands::EngineCommand;
use super::core::Engine;
use super::draining::Draining;
use super::reply::Reply;
use super::tick::TickResult;
use crate::runner::error::RunnerError;

impl Engine {
    pub(super) fn start_draining(&mut self, grace: Duration, reply: Option<Reply<()>>) {
        if let Some(draining) = &mut self.draining {
            return draining.join(reply);
        }
        self.draining = Some(Draining::new(Instant::now(), grace, reply));
        self.flights.shut_down();
        // Claims that were not sent are not wanted any more. Those that were are given back when they are answered.
        for claim in self.outbox.take_claims() {
            refuse(claim.manual, || RunnerError::ShutDown);
            self.wait_until(claim.job, None);
        }
    }

    /// Whether all is done, so that the engine may end.
    pub(super) fn is_drained(&mut self) -> bool {
        let Some(draining) = &mut self.draining else { return false };
        let now = Instant::now();
        if draining.ticks_are_late(now) {
            self.abandon_all();
            self.flush();
        }
        let ending =
            self.flights.len() > 0 && self.draining.as_ref().is_some_and(|draining| draining.waits_for_ends(now));
        let done = !self.flights.any_aloft() && !ending && self.outbox.is_empty();
        let over = self.draining.as_ref().is_some_and(|draining| draining.is_over(Instant::now()));
        if over && !done {
            tracing::warn!("shutdown ends before everything was written; those ticks are repeated");
        }
        done || over
    }

    /// The end of the engine: nobody is left waiting.
    pub(super) fn end(mut self) {
        for job in self.jobs.iter_mut() {
            refuse(job.take_manual_run(), || RunnerError::ShutDown);
        }
        // What comes after this is refused by the channel.
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            match command {
                EngineCommand::RunNow(manual) => manual.refuse(RunnerError::ShutDown),
                EngineCommand::Shutdown(_, reply) => self.start_draining(Duration::ZERO, Some(reply)),
                // Their askers see that the engine is gone.
                _ => {}
            }
        }
        if let Some(draining) = self.draining.take() {
            draining.finish();
        }
    }

    fn abandon_all(&mut self) {
        let now = self.clock.now();
        for landed in self.flights.abandon_all() {
            tracing::warn!(
                "a tick did not end within the shutdown's grace and was abandoned; it will be repeated once it is over, or its lease has run out"
            );
            self.settle(landed, TickResult::Dropped, now);
        }
    }
}
