//! The other daemons that share this one's jobs, as they announce themselves on the broker.
//!
//! Each sends a heartbeat every two seconds. One that has sent none for six is taken as gone: its jobs are taken
//! over at once, but for those whose lease it holds, which wait for that. Heartbeats are timed by this machine's own
//! steady clock, and nothing but speed depends on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use nexo_poller::broker::{Broker, BrokerError, Subscription};
use nexo_poller::runner::{PollerRunner, Sharing};
use nexo_poller::wire::{Event, topics};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a daemon sends its heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A member without a heartbeat for so long is gone.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(6);
/// Who is there answers a newcomer within this.
const HELLO_TIMEOUT: Duration = Duration::from_millis(300);
/// A job that is due for so long is taken by any daemon.
pub(crate) const ANY_MEMBER_AFTER: Duration = Duration::from_secs(30);

/// This daemon among the others.
pub(crate) struct Membership {
    changed: mpsc::UnboundedSender<String>,
    task: JoinHandle<()>,
    leaving: Arc<dyn Broker>,
    topic: String,
    sharing: Arc<Sharing>,
}

/// What one daemon says to the others.
enum MemberMessage {
    /// I am new: who is there?
    Hello,
    Here,
    Gone,
    /// I have changed this job because an operator asked for it.
    Changed(String),
}

impl Membership {
    /// Joins the daemons of `group`, and learns who they are before it returns.
    ///
    /// # Errors
    /// [`BrokerError`] where they cannot be listened to.
    pub(crate) async fn join(
        broker: Arc<dyn Broker>,
        group: &str,
        sharing: Arc<Sharing>,
    ) -> Result<JoinedMember, BrokerError> {
        let topic = topics::members(group);
        let messages = broker.subscribe(&topic, None).await?;
        let mut joined =
            JoinedMember { broker, topic, sharing, messages, last_seen: HashMap::new(), others_changes: Vec::new() };
        joined.send(&MemberMessage::Hello).await;
        let until = Instant::now() + HELLO_TIMEOUT;
        while let Ok(true) = tokio::time::timeout_at(until, joined.receive()).await {}
        joined.count();
        Ok(joined)
    }

    /// Tells the others that this daemon has changed a job.
    pub(crate) fn changed(&self, job: &str) {
        // If the task has ended, the daemon is ending too.
        let _ = self.changed.send(job.to_owned());
    }

    /// How many daemons share the jobs, this one included.
    fn count(&self) -> usize {
        self.sharing.members().len()
    }

    /// Adds that number as it stands.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let count = i64::try_from(self.count()).unwrap_or(i64::MAX);
        let help = "Daemons that share the jobs, as this one hears them";
        registry.register("poller_daemons", help, ConstGauge::new(count));
    }

    /// Says goodbye, so that nobody waits for this daemon's next heartbeat.
    pub(crate) async fn leave(&self) {
        self.task.abort();
        let event = MemberMessage::Gone.event(&self.topic, self.sharing.me());
        // If it does not arrive, the silence is noticed.
        let _ = self.leaving.publish(event).await;
    }
}

/// A daemon that has joined and does not run jobs yet.
pub(crate) struct JoinedMember {
    broker: Arc<dyn Broker>,
    topic: String,
    sharing: Arc<Sharing>,
    messages: Subscription,
    last_seen: HashMap<String, Instant>,
    others_changes: Vec<String>,
}

impl JoinedMember {
    /// Goes on in a task, for `runner`.
    pub(crate) fn start(self, runner: PollerRunner) -> Membership {
        let (changed, changes) = mpsc::unbounded_channel();
        let (leaving, topic, sharing) = (Arc::clone(&self.broker), self.topic.clone(), Arc::clone(&self.sharing));
        Membership { changed, task: tokio::spawn(self.run(runner, changes)), leaving, topic, sharing }
    }

    async fn run(mut self, runner: PollerRunner, mut changes: mpsc::UnboundedReceiver<String>) {
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = heartbeat.tick() => {
                    self.send(&MemberMessage::Here).await;
                    self.count();
                }
                open = self.receive() => {
                    if !open {
                        return;
                    }
                    self.count();
                    for job in self.others_changes.drain(..) {
                        runner.refresh(&job);
                    }
                }
                Some(job) = changes.recv() => self.send(&MemberMessage::Changed(job)).await,
            }
        }
    }

    async fn send(&self, message: &MemberMessage) {
        if let Err(error) = self.broker.publish(message.event(&self.topic, self.sharing.me())).await {
            tracing::debug!(%error, "the other daemons could not be told that this one is there");
        }
    }

    /// One message of another daemon; false where the broker is closed.
    async fn receive(&mut self) -> bool {
        let Some(delivery) = self.messages.next().await else { return false };
        let Some((who, message)) = MemberMessage::read(&delivery.event.payload) else { return true };
        if who == self.sharing.me() {
            return true;
        }
        match message {
            MemberMessage::Gone => {
                self.last_seen.remove(&who);
            }
            MemberMessage::Hello => {
                self.last_seen.insert(who, Instant::now());
                self.send(&MemberMessage::Here).await;
            }
            MemberMessage::Here => {
                self.last_seen.insert(who, Instant::now());
            }
            MemberMessage::Changed(job) => {
                self.last_seen.insert(who, Instant::now());
                self.others_changes.push(job);
            }
        }
        true
    }

    /// Says who is there now, where that has changed.
    fn count(&mut self) {
        self.last_seen.retain(|_, at| at.elapsed() < MEMBER_TIMEOUT);
        let before = self.sharing.members();
        self.sharing.set_others(self.last_seen.keys().cloned());
        let now = self.sharing.members();
        if before != now {
            tracing::info!(
                daemons = now.len(),
                before = before.len(),
                "daemons that share the jobs: {}",
                now.join(", ")
            );
        }
    }
}

impl MemberMessage {
    fn event(&self, topic: &str, me: &str) -> Event {
        let payload = match self {
            Self::Hello => json!({"member": me, "says": "hello"}),
            Self::Here => json!({"member": me, "says": "here"}),
            Self::Gone => json!({"member": me, "says": "gone"}),
            Self::Changed(job) => json!({"member": me, "says": "changed", "job": job}),
        };
        Event::new(topic, "daemon", payload)
    }

    fn read(payload: &Value) -> Option<(String, Self)> {
        let text = |key: &str| payload.get(key).and_then(Value::as_str);
        let message = match text("says")? {
            "hello" => Self::Hello,
            "here" => Self::Here,
            "gone" => Self::Gone,
            "changed" => Self::Changed(text("job")?.to_owned()),
            _ => return None,
        };
        Some((text("member")?.to_owned(), message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nexo_poller::broker::LocalBroker;
    use nexo_poller::runner::PollerRegistry;
    use nexo_poller::store::MemoryStore;

    struct NoHosts;

    impl nexo_poller::runner::HostProvider for NoHosts {
        fn host_for(&self, _: &nexo_poller::runner::TickIdentity) -> Arc<dyn nexo_poller::contract::PollerHost> {
            panic!("no job runs")
        }
    }

    async fn join(broker: &LocalBroker, me: &str) -> (Membership, Arc<Sharing>) {
        let sharing = Arc::new(Sharing::new(me, ANY_MEMBER_AFTER));
        let broker = Arc::new(broker.clone());
        let joined = Membership::join(broker, "test", Arc::clone(&sharing)).await.unwrap();
        let runner = PollerRunner::builder(MemoryStore::new(), PollerRegistry::new(), NoHosts).start();
        (joined.start(runner), sharing)
    }

    #[tokio::test(start_paused = true)]
    async fn daemons_hear_of_one_another_at_once_of_a_goodbye_too_and_of_silence_in_six_seconds() {
        let broker = LocalBroker::new();
        let (ana, anas) = join(&broker, "ana").await;
        let (bob, bobs) = join(&broker, "bob").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(
            (anas.members(), bobs.members()),
            (vec!["ana".into(), "bob".into()], vec!["ana".into(), "bob".into()])
        );
        let (carl, _) = join(&broker, "carl").await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!((ana.count(), bob.count()), (3, 3));
        carl.leave().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(anas.members(), ["ana", "bob"]);
        // Killed: it says nothing any more.
        bob.task.abort();
        let silent = Instant::now();
        while anas.members().len() > 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(silent.elapsed() <= MEMBER_TIMEOUT + HEARTBEAT, "{:?}", silent.elapsed());
    }
}
