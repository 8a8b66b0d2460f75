//! The other daemons that share this one's jobs, as they are heard on the broker.
//!
//! Each says every two seconds that it is there. One that has not been heard for six is taken as gone: its jobs are taken
//! over at once, but for those whose lease it holds, which wait for that. What is heard is timed by this machine's own
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

/// How often a daemon says that it is there.
const BEAT: Duration = Duration::from_secs(2);
/// One that was not heard for so long is gone.
const GONE: Duration = Duration::from_secs(6);
/// Who is there answers a newcomer within this.
const HELLO: Duration = Duration::from_millis(300);
/// A job that is due for so long is taken by any daemon.
pub(crate) const STAND_IN_AFTER: Duration = Duration::from_secs(30);

/// This daemon among the others.
pub(crate) struct Neighbours {
    changed: mpsc::UnboundedSender<String>,
    task: JoinHandle<()>,
    leaving: Arc<dyn Broker>,
    topic: String,
    sharing: Arc<Sharing>,
}

/// What one daemon says to the others.
enum Word {
    /// I am new: who is there?
    Hello,
    Here,
    Gone,
    /// I have changed this job on an operator's word.
    Changed(String),
}

impl Neighbours {
    /// Joins the daemons of `group`, and learns who they are before it returns.
    ///
    /// # Errors
    /// [`BrokerError`] where they cannot be listened to.
    pub(crate) async fn join(
        broker: Arc<dyn Broker>,
        group: &str,
        sharing: Arc<Sharing>,
    ) -> Result<Listening, BrokerError> {
        let topic = topics::members(group);
        let words = broker.subscribe(&topic, None).await?;
        let mut listening =
            Listening { broker, topic, sharing, words, heard: HashMap::new(), others_changes: Vec::new() };
        listening.say(&Word::Hello).await;
        let until = Instant::now() + HELLO;
        while let Ok(true) = tokio::time::timeout_at(until, listening.hear()).await {}
        listening.count();
        Ok(listening)
    }

    /// Tells the others that this daemon has changed a job.
    pub(crate) fn changed(&self, job: &str) {
        // Where the task has ended, the daemon ends as well.
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

    /// Says goodbye, so that nobody waits for this daemon's next word.
    pub(crate) async fn leave(&self) {
        self.task.abort();
        let event = Word::Gone.event(&self.topic, self.sharing.me());
        // Unheard, it is noticed by its silence.
        let _ = self.leaving.publish(event).await;
    }
}

/// A daemon that has joined and does not run jobs yet.
pub(crate) struct Listening {
    broker: Arc<dyn Broker>,
    topic: String,
    sharing: Arc<Sharing>,
    words: Subscription,
    heard: HashMap<String, Instant>,
    others_changes: Vec<String>,
}

impl Listening {
    /// Goes on in a task, for `runner`.
    pub(crate) fn start(self, runner: PollerRunner) -> Neighbours {
        let (changed, changes) = mpsc::unbounded_channel();
        let (leaving, topic, sharing) = (Arc::clone(&self.broker), self.topic.clone(), Arc::clone(&self.sharing));
        Neighbours { changed, task: tokio::spawn(self.run(runner, changes)), leaving, topic, sharing }
    }

    async fn run(mut self, runner: PollerRunner, mut changes: mpsc::UnboundedReceiver<String>) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    self.say(&Word::Here).await;
                    self.count();
                }
                open = self.hear() => {
                    if !open {
                        return;
                    }
                    self.count();
                    for job in self.others_changes.drain(..) {
                        runner.refresh(&job);
                    }
                }
                Some(job) = changes.recv() => self.say(&Word::Changed(job)).await,
            }
        }
    }

    async fn say(&self, word: &Word) {
        if let Err(error) = self.broker.publish(word.event(&self.topic, self.sharing.me())).await {
            tracing::debug!(%error, "the other daemons could not be told that this one is there");
        }
    }

    /// One word of another daemon; false where the broker is closed.
    async fn hear(&mut self) -> bool {
        let Some(delivery) = self.words.next().await else { return false };
        let Some((who, word)) = Word::read(&delivery.event.payload) else { return true };
        if who == self.sharing.me() {
            return true;
        }
        match word {
            Word::Gone => {
                self.heard.remove(&who);
            }
            Word::Hello => {
                self.heard.insert(who, Instant::now());
                self.say(&Word::Here).await;
            }
            Word::Here => {
                self.heard.insert(who, Instant::now());
            }
            Word::Changed(job) => {
                self.heard.insert(who, Instant::now());
                self.others_changes.push(job);
            }
        }
        true
    }

    /// Says who is there now, where that has changed.
    fn count(&mut self) {
        self.heard.retain(|_, at| at.elapsed() < GONE);
        let before = self.sharing.members();
        self.sharing.set_others(self.heard.keys().cloned());
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

impl Word {
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
        let word = match text("says")? {
            "hello" => Self::Hello,
            "here" => Self::Here,
            "gone" => Self::Gone,
            "changed" => Self::Changed(text("job")?.to_owned()),
            _ => return None,
        };
        Some((text("member")?.to_owned(), word))
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

    async fn join(broker: &LocalBroker, me: &str) -> (Neighbours, Arc<Sharing>) {
        let sharing = Arc::new(Sharing::new(me, STAND_IN_AFTER));
        let broker = Arc::new(broker.clone());
        let listening = Neighbours::join(broker, "test", Arc::clone(&sharing)).await.unwrap();
        let runner = PollerRunner::builder(MemoryStore::new(), PollerRegistry::new(), NoHosts).start();
        (listening.start(runner), sharing)
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
        assert!(silent.elapsed() <= GONE + BEAT, "{:?}", silent.elapsed());
    }
}
