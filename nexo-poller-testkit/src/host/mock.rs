use std::fmt;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nexo_poller::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse, Pattern};
use nexo_poller::manifest::{DeclaredPoller, manifest_of};
use nexo_poller::unstable::PublishList;
use nexo_poller::wire::SentIds;
use serde_json::Value;

use super::Method;
use super::call::{LogLine, MetricIncrement, Published};
use super::fault::{Effect, Fault};
use super::script::Script;

/// A [`PollerHost`](nexo_poller::contract::PollerHost) that answers from a script, fails where it is told to, and remembers what it was asked.
///
/// It is a handle: clones share everything. Methods that script it return the handle, so that they chain; it can be
/// scripted further at any time, between two ticks for instance.
///
/// ```
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::MockPollerHost;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), HostError> {
/// let host = MockPollerHost::new()
///     .allow(["plugin.outbound.>"])
///     .credentials("telegram", json!({"account_id": "bot_1"}));
///
/// let account = host.credentials_get("telegram".into()).await?;
/// assert_eq!(account, json!({"channel": "telegram", "agent_id": "test_agent", "account_id": "bot_1"}));
///
/// host.broker_publish("plugin.outbound.telegram.bot_1".into(), br#"{"to": "1", "text": "hello"}"#.to_vec()).await?;
/// host.assert_published("plugin.outbound.telegram.*").times(1).containing(json!({"text": "hello"}));
/// host.assert_nothing_else();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MockPollerHost(Arc<Mutex<Inner>>);

/// Shows nothing of what it was asked: a message or an account may hold a secret.
impl fmt::Debug for MockPollerHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockPollerHost").finish_non_exhaustive()
    }
}

pub(super) struct Inner {
    pub(super) script: Script,
    pub(super) published: Vec<Recorded>,
    pub(super) logs: Vec<LogLine>,
    pub(super) metrics: Vec<MetricIncrement>,
    pub(super) llm_requests: Vec<LlmInvokeRequest>,
    pub(super) calls: Vec<Method>,
    publish: PublishList,
    faults: Vec<Fault>,
    /// What was published outside any tick.
    pub(super) standing_alone: Arc<SentIds>,
}

pub(super) struct Recorded {
    pub(super) message: Published,
    /// An assertion has spoken of it.
    pub(super) asserted: bool,
}

impl MockPollerHost {
    /// A host that allows every topic, knows no credentials (but those of `console`, which the daemon has built in) and
    /// no model.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            script: Script::default(),
            published: Vec::new(),
            logs: Vec::new(),
            metrics: Vec::new(),
            llm_requests: Vec::new(),
            calls: Vec::new(),
            publish: PublishList::of([">"]),
            faults: Vec::new(),
            standing_alone: Arc::default(),
        })))
    }

    /// A host that allows what the manifest of `P` allows, as the daemon does.
    #[must_use]
    #[track_caller]
    pub fn for_poller<P: DeclaredPoller>() -> Self {
        // The very list that the daemon reads from the plugin's manifest.
        match manifest_of(&[P::DECLARATION]) {
            Ok(manifest) => Self::new().scripted(|inner| {
                inner.publish = PublishList::of(manifest.plugin.capabilities.broker.publish);
            }),
            Err(conflict) => panic!("the declaration of `{}` makes no manifest: {conflict}", P::DECLARATION.kind),
        }
    }

    /// Allows publishing on topics that match one of `patterns`, and on nothing else.
    ///
    /// # Panics
    /// Where one is not a topic pattern.
    #[track_caller]
    pub fn allow<S: AsRef<str>>(&self, patterns: impl IntoIterator<Item = S>) -> Self {
        let checked = patterns.into_iter().map(|pattern| match pattern.as_ref().parse::<Pattern>() {
            Ok(pattern) => pattern.as_str().to_owned(),
            Err(error) => panic!("MockPollerHost::allow: {error}"),
        });
        let publish = PublishList::of(checked);
        self.scripted(|inner| inner.publish = publish)
    }

    /// Answers `credentials_get(channel)` with `answer`, any JSON. Of an object, `channel` and `agent_id` are filled in
    /// where they are left out, as the daemon does.
    pub fn credentials(&self, channel: &str, answer: impl Into<Value>) -> Self {
        let answer = Ok(answer.into());
        self.scripted(|inner| inner.script.set_credentials(channel, answer, None))
    }

    /// Answers `credentials_get(channel)` with `answer` for `calls` calls, then says that they have expired.
    pub fn credentials_expire_after(&self, channel: &str, answer: impl Into<Value>, calls: u64) -> Self {
        let answer = Ok(answer.into());
        self.scripted(|inner| inner.script.set_credentials(channel, answer, Some(calls)))
    }

    /// The agent has no account on `channel`.
    pub fn credentials_missing(&self, channel: &str) -> Self {
        let reason = "the agent has no account there".to_owned();
        let missing = Err(HostError::CredentialsMissing { channel: channel.to_owned(), reason });
        self.scripted(|inner| inner.script.set_credentials(channel, missing, None))
    }

    /// Answers each `llm_invoke` with the next of `answers`.
    pub fn llm_answers<S: Into<String>>(&self, answers: impl IntoIterator<Item = S>) -> Self {
        let answers = answers.into_iter().map(Into::into).collect();
        self.scripted(|inner| inner.script.set_llm_answers(answers))
    }

    /// Answers each `llm_invoke` with what `answer` makes of the request. The closure may not call this host.
    pub fn llm(
        &self,
        answer: impl FnMut(&LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> + Send + 'static,
    ) -> Self {
        self.scripted(|inner| inner.script.set_llm(Box::new(answer)))
    }

    /// Adds a fault.
    pub fn fault(&self, fault: Fault) -> Self {
        self.scripted(|inner| inner.faults.push(fault))
    }

    /// Takes every fault away: the outage is over.
    pub fn heal(&self) -> Self {
        self.scripted(|inner| inner.faults.clear())
    }

    /// Forgets what was recorded; scripts and faults stay.
    pub fn forget(&self) -> Self {
        self.scripted(|inner| {
            inner.published.clear();
            inner.logs.clear();
            inner.metrics.clear();
            inner.llm_requests.clear();
            inner.calls.clear();
        })
    }

    /// Every message that was taken, oldest first.
    #[must_use]
    pub fn published(&self) -> Vec<Published> {
        self.inner().published.iter().map(|recorded| recorded.message.clone()).collect()
    }

    /// Every line that was logged, oldest first.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.inner().logs.clone()
    }

    /// Every counter increment, oldest first.
    #[must_use]
    pub fn metrics(&self) -> Vec<MetricIncrement> {
        self.inner().metrics.clone()
    }

    /// Every request to a model, oldest first.
    #[must_use]
    pub fn llm_requests(&self) -> Vec<LlmInvokeRequest> {
        self.inner().llm_requests.clone()
    }

    /// Every call, oldest first, those that failed included.
    #[must_use]
    pub fn calls(&self) -> Vec<Method> {
        self.inner().calls.clone()
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scripted(&self, change: impl FnOnce(&mut Inner)) -> Self {
        change(&mut self.inner());
        self.clone()
    }
}

impl Default for MockPollerHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    pub(super) fn check_allowed(&self, topic: &str) -> Result<(), HostError> {
        self.publish.check(topic)
    }

    /// Takes a message, and tells its topic to whoever wants to know what a test run publishes on.
    pub(super) fn take(&mut self, message: Published) {
        if let Some(file) = std::env::var_os("NEXO_PUBLISHED_TOPICS") {
            let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
            // It is asked for by `nexo-poller doctor`, which notices where nothing comes.
            let _ = opened.and_then(|mut file| writeln!(file, "{}", message.topic));
        }
        self.published.push(Recorded { message, asserted: false });
    }

    /// Every fault counts the call; the first that strikes decides.
    pub(super) fn strike(&mut self, method: Method, topic: Option<&str>) -> Option<Effect> {
        let mut struck = None;
        for fault in &mut self.faults {
            let effect = fault.strikes(method, topic);
            struck = struck.or(effect);
        }
        struck
    }
}
