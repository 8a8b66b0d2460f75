use std::time::Duration;

use nexo_poller::contract::{PollContext, PollerError, TickAck};

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
        let ctx = self.context();
        let ack = self.within_deadline(&ctx).await?;
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

    async fn within_deadline(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let tick = self.in_its_process(self.poller.tick(ctx));
        tokio::pin!(tick);
        if let Ok(outcome) = tokio::time::timeout(self.deadline, &mut tick).await {
            return outcome;
        }
        ctx.cancel.cancel();
        tokio::time::timeout(GRACE, &mut tick).await.unwrap_or_else(|_| {
            Err(PollerError::transient(format!(
                "job `{}`: its tick was abandoned: it still ran {} s after its `cancel` had fired, which was {} s after \
                 its start",
                self.job_id,
                GRACE.as_secs(),
                self.deadline.as_secs_f64(),
            )))
        })
    }
}
