use std::panic::resume_unwind;
use std::time::Duration;

use nexo_poller::contract::{PollerError, TickAck};
use nexo_poller::unstable::{TickGate, watch};
use tokio_util::sync::CancellationToken;

use super::JobTest;

/// How long a tick whose `cancel` has fired may go on before it is abandoned.
const GRACE: Duration = Duration::from_secs(5);

impl JobTest {
    /// One tick, whatever comes of it. The config is validated first, as it is when the job is loaded. The cursor moves
    /// on success only.
    ///
    /// # Errors
    /// What validation or the tick returned; a transient error where the tick outlived its deadline.
    pub async fn try_tick(&mut self) -> Result<TickAck, PollerError> {
        self.poller.validate(&self.config)?;
        let ack = self.within_deadline().await?;
        match ack.next_cursor.as_deref() {
            None => {}
            Some([]) => self.cursor = None,
            Some(next) => self.cursor = Some(next.to_vec()),
        }
        Ok(ack)
    }

    /// One tick whose `cancel` fires after `delay`, as it does at a shutdown. What the tick returned, and whether it
    /// returned at all, is the result; the cursor moves on success only.
    ///
    /// # Errors
    /// As [`try_tick`](Self::try_tick).
    pub async fn tick_cancelled_after(&mut self, delay: Duration) -> Result<TickAck, PollerError> {
        let normal = std::mem::replace(&mut self.deadline, delay);
        let outcome = self.try_tick().await;
        self.deadline = normal;
        outcome
    }

    async fn within_deadline(&self) -> Result<TickAck, PollerError> {
        let gate = TickGate::new(CancellationToken::new());
        let tick = self.next_tick().run(gate.clone(), |tick| self.host().for_tick(tick.clone()));
        let deadline = tokio::time::sleep(self.deadline);
        let stop = async {
            deadline.await;
            GRACE
        };
        match watch(self.in_its_process(tick), &gate, stop).await {
            Some(Ok(outcome)) => outcome,
            // In front of the author it goes on: what it says is the test's failure.
            Some(Err(panicked)) => resume_unwind(panicked.into_payload()),
            None => Err(PollerError::transient(format!(
                "job `{}`: its tick was abandoned: it still ran {} s after its `cancel` had fired, which was {} s after \
                 its start",
                self.job_id,
                GRACE.as_secs(),
                self.deadline.as_secs_f64(),
            ))),
        }
    }
}
