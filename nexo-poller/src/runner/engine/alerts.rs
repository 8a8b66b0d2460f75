//! Failures, told to people.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::core::Engine;
use super::index::JobIndex;
use crate::contract::{Deliver, PollContext, TickIdentity};
use crate::store::UnixMs;

/// An alert that is not out by then is given up; the job's state says the same.
const ALERT_TIMEOUT: Duration = Duration::from_secs(30);

impl Engine {
    /// Tells the job's `failure_to`, through the host like any message. The cooldown is durable already, so a crash right
    /// here loses one alert rather than repeating it with every restart.
    pub(super) fn alert(&self, index: JobIndex, text: String) {
        let Some(job) = self.jobs.get(index) else { return };
        let Some(target) = &job.failure_to else { return };
        let Some(registered) = self.kinds.get(job.kind).registered() else { return };
        let deliver = Deliver { channel: target.channel.clone(), to: target.to.clone() };
        let now = self.clock.now();
        let kind = registered.poller.kind();
        let identity = TickIdentity::new(kind, Arc::clone(&job.id), Arc::clone(&job.agent))
            .with_run_key(job.state.last.map_or(now, |last| last.scheduled_at).to_utc())
            .with_cursor(Some(alert_marker(now)));
        let host = self.hosts.host_for(&identity);
        let context = PollContext {
            job_id: job.id.to_string(),
            agent_id: job.agent.to_string(),
            kind,
            config: serde_json::Value::Null,
            cursor: None,
            now: now.to_utc(),
            interval_hint: Duration::ZERO,
            cancel: CancellationToken::new(),
            host,
        };
        tokio::spawn(async move {
            let text = format!("job {} ({}) {text}", context.job_id, context.kind);
            let sent = tokio::time::timeout(ALERT_TIMEOUT, deliver.send(&context, &text)).await;
            match sent {
                Ok(Ok(())) => tracing::info!(job = context.job_id, channel = deliver.channel, "failure alert sent"),
                Ok(Err(error)) => tracing::error!(job = context.job_id, %error, "the failure alert could not be sent"),
                Err(_) => tracing::error!(job = context.job_id, "the failure alert was not sent within 30 s"),
            }
        });
    }
}

/// In place of a cursor: ids derive from the cursor among others, so two alerts with the same words have different ids.
fn alert_marker(now: UnixMs) -> Arc<[u8]> {
    Arc::from(format!("alert at {}", now.0).into_bytes())
}
