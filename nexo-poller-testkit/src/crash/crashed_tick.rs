use std::panic::{Location, resume_unwind};
use std::sync::Arc;

use nexo_poller::contract::WarmStates;
use nexo_poller::unstable::TickGate;
use tokio_util::sync::CancellationToken;

use super::Point;
use super::dying_host::DyingHost;
use crate::{JobTest, Published};

/// What a tick that died has left behind.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CrashedTick {
    /// Where it died.
    pub point: Point,
    /// What the host had taken of it by then, oldest first.
    pub published: Vec<Published>,
}

impl JobTest {
    /// One tick whose process dies at `point`. The next tick resumes from what was durable then: the cursor moves only
    /// where the crash comes after the commit.
    ///
    /// Its warm [`State`](nexo_poller::contract::State) dies with the process. What a poller written by hand keeps in its
    /// own fields lives on; it may be the test's source. A [`CrashTest`](crate::CrashTest) also resumes the job and
    /// compares.
    ///
    /// # Panics
    /// Where the tick never comes to `point`: it fails before, or publishes less.
    #[track_caller]
    pub fn crash_at(&mut self, point: Point) -> impl Future<Output = CrashedTick> + '_ {
        // An async fn would report a line of this file, not the test's.
        let caller = Location::caller();
        async move {
            match self.try_crash_at(point).await {
                Ok(crashed) => crashed,
                Err(actual) => panic!(
                    "\nexpected: a tick that dies {point}\n  actual: {actual}\n     job: `{}`\n      at: {caller}\n",
                    self.job_id
                ),
            }
        }
    }

    /// As [`crash_at`](Self::crash_at); what happened instead, in words, where the tick never comes to `point`.
    pub(super) async fn try_crash_at(&mut self, point: Point) -> Result<CrashedTick, String> {
        self.poller.validate(&self.config).map_err(|error| format!("its config was refused: {error}"))?;
        let before = self.host().published().len();
        match point {
            Point::BeforeTick => {}
            Point::AfterPublish(number) => self.die_after_publish(number).await?,
            Point::BeforeCommit => {
                let durable = self.cursor.clone();
                let outcome = self.try_tick().await;
                self.cursor = durable;
                outcome.map_err(|error| format!("it failed: {error}"))?;
            }
            Point::AfterCommit => {
                self.try_tick().await.map_err(|error| format!("it failed: {error}"))?;
            }
        }
        self.process = WarmStates::default();
        Ok(CrashedTick { point, published: self.host().published().split_off(before) })
    }

    async fn die_after_publish(&mut self, number: usize) -> Result<(), String> {
        let before = self.host().published().len();
        let died = CancellationToken::new();
        let tick = self.next_tick().run(TickGate::new(CancellationToken::new()), |tick| {
            Arc::new(DyingHost::new(self.host().for_tick(tick.clone()), number, died.clone()))
        });
        tokio::select! {
            // A tick that ends in the same step as it dies was still alive.
            biased;
            outcome = self.in_its_process(tick) => {
                let outcome = outcome.unwrap_or_else(|panicked| resume_unwind(panicked.into_payload()));
                let published = self.host().published().len() - before;
                let end = outcome.map_or_else(|error| format!("failed: {error}"), |_| "succeeded".to_owned());
                Err(format!("it published {published} and {end}"))
            }
            () = died.cancelled() => Ok(()),
        }
    }
}
