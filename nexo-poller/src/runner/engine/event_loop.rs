use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::commands::EngineCommand;
use super::core::Engine;
use super::lost_rows::Reopened;
use super::outbox::Entries;
use super::tick::Ended;
use crate::store::{Answers, StoreError};

/// The shortest wait: timers have whole milliseconds, and zero would spin on a clock that stands still.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// While ticks run, the wall clock is looked at at least this often.
const CLOCK_CHECK_ALOFT: Duration = Duration::from_secs(2);

/// What woke the engine.
enum Woken {
    /// `None` once the last handle is gone.
    Command(Option<EngineCommand>),
    /// Tasks of ticks have gone; which is in the buffer.
    Ended,
    /// Boxed: it is larger than all others together.
    Answered(Box<(Entries, Result<Answers, StoreError>)>),
    Reopened(Reopened),
    Registration,
    Membership,
    Time,
}

impl Engine {
    /// Runs until it is shut down, or until nobody holds a handle any more.
    pub(crate) async fn run(mut self) {
        let mut ended = Vec::new();
        loop {
            match self.wait(&mut ended).await {
                Woken::Command(Some(command)) => self.command(command),
                Woken::Command(None) => self.start_draining(Duration::ZERO, None),
                Woken::Ended => {
                    let now = self.clock.now();
                    for gone in ended.drain(..) {
                        self.tick_ended(gone, now);
                    }
                }
                Woken::Answered(answer) => self.answered(answer.0, answer.1),
                Woken::Reopened(reopened) => self.rows_reopened(reopened),
                Woken::Registration => self.refresh_kinds(),
                Woken::Membership => self.share_again(),
                Woken::Time => {}
            }
            // Whatever else has come meanwhile goes into the same round: a thousand operators' commands cost one batch.
            while let Ok(command) = self.commands.try_recv() {
                self.command(command);
            }
            self.notice_clock_jump();
            self.pump();
            if self.is_drained() {
                return self.end();
            }
        }
    }

    async fn wait(&mut self, ended: &mut Vec<Ended>) -> Woken {
        let wait = self.longest_wait();
        let clock = Arc::clone(&self.clock);
        let draining = self.draining.is_some();
        tokio::select! {
            // The same events give the same steps. Nothing starves: each step takes everything else that has come.
            biased;
            () = self.flights.ended(ended) => Woken::Ended,
            answer = self.outbox.answered() => Woken::Answered(Box::new(answer)),
            reopened = self.lost_rows.reopened() => Woken::Reopened(reopened),
            // While it drains it still answers, in the round that each other event makes; but a closed channel, which is ready
            // at every look, must not keep it awake.
            command = self.commands.recv(), if !draining => Woken::Command(command),
            () = changed(&mut self.membership) => Woken::Membership,
            changed = self.registrations.changed() => {
                match changed {
                    Ok(()) => Woken::Registration,
                    // The engine holds the registry; this cannot end the loop, only idle it.
                    Err(_) => Woken::Time,
                }
            }
            () = clock.sleep(wait) => Woken::Time,
        }
    }

    /// How long nothing is to be done, unless something happens.
    fn longest_wait(&mut self) -> Duration {
        let now = Instant::now();
        let until = |at: Instant| at.saturating_duration_since(now);
        // Timers do not count the time for which a machine sleeps, so the wall clock is looked at every so often.
        let mut wait = self.options.clock_check;
        if let Some(check) = self.flights.next_check() {
            // A machine that slept has leases that others may have taken.
            wait = wait.min(until(check)).min(CLOCK_CHECK_ALOFT);
        }
        if let Some(draining) = &self.draining {
            wait = wait.min(until(draining.until(now)));
        }
        if let Some(outage) = &self.outage {
            return wait.min(until(outage.retry_at())).max(SHORTEST_WAIT);
        }
        if let Some(send) = self.outbox.next_send() {
            wait = wait.min(until(send));
        }
        if self.draining.is_none()
            && let Some(due) = self.queue.next_wake()
        {
            // Jobs that are due within the window start together.
            wait = wait.min(due.since(self.clock.now()).max(until(self.outbox.window_end())));
        }
        wait.max(SHORTEST_WAIT)
    }

    /// Moves everything that can move.
    fn pump(&mut self) {
        let now = Instant::now();
        self.attend_to_flights(now);
        if self.outage.as_ref().is_some_and(|outage| outage.retry_at() > now) {
            return;
        }
        if self.draining.is_none() && self.outage.is_none() {
            self.take_due();
            self.claim_ready();
        }
        self.flush();
        self.ask_again();
    }

    pub(super) fn flush(&mut self) {
        let now = Instant::now();
        while self.outbox.is_due(now, self.draining.is_some()) {
            self.outbox.send(now, self.clock.now(), |index| self.jobs.get(index).map(|job| job.stored));
            if self.outage.is_some() {
                // One batch finds out whether the store works again.
                return;
            }
        }
    }

    /// Asks the store with nothing to write where nothing is left that would: what failed may be waited for by nobody any more
    /// (an operator's change, say, whose failure was told), and without an answer no tick would start again.
    fn ask_again(&mut self) {
        if self.outage.is_some() && self.draining.is_none() && self.outbox.is_empty() {
            self.outbox.probe();
        }
    }
}

/// Waits for another set of daemons; for ever, where jobs are not shared.
async fn changed(membership: &mut Option<watch::Receiver<u64>>) {
    if let Some(changes) = membership
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}
