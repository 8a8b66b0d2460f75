use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::contract::{PollContext, PollerHost};
use crate::wire::{Event, HostCall, RpcError, code, copy_id, publish_id};

/// The ticks that plugins run right now, by plugin and job: whose calls are answered, and through which host. Clones are
/// one table.
#[derive(Clone, Default)]
pub struct InFlight {
    ticks: Arc<Mutex<HashMap<(String, String), RunningTick>>>,
    next: Arc<AtomicU64>,
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").finish_non_exhaustive()
    }
}

struct RunningTick {
    number: u64,
    agent_id: String,
    host: Arc<dyn PollerHost>,
    /// Why something that was published meanwhile has not gone out.
    lost: Option<String>,
    /// What the ids of its messages are made of, beside the messages and the job.
    kind: &'static str,
    cursor: Option<Vec<u8>>,
}

/// A tick rarely publishes the same content more often than this; of one that does, the message may be any tick's.
const MOST_COPIES: u32 = 16;

impl RunningTick {
    /// Whether `message` has an id that this tick of `job` gives to its messages.
    fn has_sent(&self, job: &str, message: &Event) -> bool {
        let first = publish_id(self.kind, job, &message.topic, &message.payload, self.cursor.as_deref());
        first == message.id || (1..MOST_COPIES).any(|copy| copy_id(&first, copy) == message.id)
    }
}

/// A tick's place in the table, as long as it runs.
pub(super) struct Place {
    table: InFlight,
    key: (String, String),
    number: u64,
}

impl InFlight {
    /// Enters a tick of `plugin`; it leaves when the place is dropped.
    pub(super) fn enter(&self, plugin: &str, ctx: &PollContext) -> Place {
        let key = (plugin.to_owned(), ctx.job_id.clone());
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let running = RunningTick {
            number,
            agent_id: ctx.agent_id.clone(),
            host: Arc::clone(&ctx.host),
            lost: None,
            kind: ctx.kind,
            cursor: ctx.cursor.clone(),
        };
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), running);
        Place { table: self.clone(), key, number }
    }

    /// Something that `plugin` published has not gone out: none of its ticks that run now may count as done, because the
    /// message may have been of any of them.
    pub(super) fn lose(&self, plugin: &str, why: &str) {
        let mut ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, running) in ticks.iter_mut().filter(|((owner, _), _)| owner == plugin) {
            running.lost.get_or_insert_with(|| why.to_owned());
        }
    }

    /// The same for a message whose id tells which of the ticks has sent it: that one alone may not count as done. Its job; `None`
    /// where nobody can tell, and nothing was changed.
    pub(super) fn lose_message(&self, plugin: &str, message: &Event, why: &str) -> Option<String> {
        let mut ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut senders = ticks.iter_mut().filter(|((owner, _), _)| owner == plugin);
        let ((_, job), running) = senders.find(|((_, job), running)| running.has_sent(job, message))?;
        running.lost.get_or_insert_with(|| why.to_owned());
        Some(job.clone())
    }

    /// Whether a tick of `job` runs in `plugin` for this daemon.
    pub(super) fn runs(&self, plugin: &str, job: &str) -> bool {
        let key = (plugin.to_owned(), job.to_owned());
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&key)
    }

    /// The host that answers `call` of `plugin`: the one of the tick that it belongs to.
    ///
    /// # Errors
    /// [`code::PERMANENT`] where the job has no tick in flight there, or the call names another agent than the job's.
    pub(super) fn host_of(&self, plugin: &str, call: &HostCall) -> Result<Arc<dyn PollerHost>, RpcError> {
        let refuse = |message: String| RpcError::new(code::PERMANENT, message);
        let key = (plugin.to_owned(), call.job_id.clone());
        let ticks = self.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(running) = ticks.get(&key) else {
            return Err(refuse(format!(
                "`{}` is answered only while a tick runs, and plugin `{plugin}` runs none for job `{}`",
                call.method, call.job_id
            )));
        };
        let named = call.named_agent();
        for agent in [Some(call.agent_id.as_str()), named].into_iter().flatten().filter(|agent| !agent.is_empty()) {
            if agent != running.agent_id {
                return Err(refuse(format!(
                    "job `{}` belongs to agent `{}`: plugin `{plugin}` may not act for agent `{agent}`",
                    call.job_id, running.agent_id
                )));
            }
        }
        Ok(Arc::clone(&running.host))
    }
}

impl Place {
    /// Why something that was published while this tick ran has not gone out, where that happened.
    pub(super) fn lost(&self) -> Option<String> {
        let ticks = self.table.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        ticks.get(&self.key).filter(|running| running.number == self.number)?.lost.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut ticks = self.table.ticks.lock().unwrap_or_else(PoisonError::into_inner);
        // A tick that was abandoned may have been followed by the next one of its job.
        if ticks.get(&self.key).is_some_and(|running| running.number == self.number) {
            ticks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contract::TickIdentity;
    use crate::contract::recording_host::RecordingHost;
    use crate::wire::{Publisher, SentIds};

    #[test]
    fn a_message_that_was_lost_is_that_of_the_tick_which_has_sent_it_where_its_id_tells() {
        let table = InFlight::default();
        let enter = |job: &str| {
            let mut ctx = PollContext::new("jira", job, "ana", RecordingHost::new(Ok(serde_json::Value::Null)));
            ctx.cursor = Some(vec![7]);
            table.enter("jira", &ctx)
        };
        let (a, b) = (enter("a"), enter("b"));
        let tick = TickIdentity::new("jira", "b", "ana").with_cursor(Some([7].as_slice()));
        let sent = SentIds::new();
        let publisher = Publisher::new(&tick, "jira", &sent);
        for _ in 0..3 {
            let (event, id) = publisher.event("secret.topic".to_owned(), b"{\"n\":1}").unwrap();
            id.keep();
            assert_eq!(table.lose_message("jira", &event, "not allowed").as_deref(), Some("b"));
            assert_eq!(table.lose_message("rss", &event, "not allowed"), None);
        }
        assert_eq!((a.lost(), b.lost().as_deref()), (None, Some("not allowed")));
        let strange = Event::new("secret.topic", "jira", json!({"n": 1}));
        assert_eq!(table.lose_message("jira", &strange, "not allowed"), None, "then it may be of either");
        table.lose("jira", "malformed");
        assert_eq!(a.lost().as_deref(), Some("malformed"));
    }
}
