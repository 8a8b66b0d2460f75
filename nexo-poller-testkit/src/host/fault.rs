use std::time::Duration;

use nexo_poller::contract::{HostError, matches};

use super::Method;

/// Something that goes wrong with a call to the host.
///
/// A fault says which calls it strikes (by method, topic and number), then what happens to them. Those that match count
/// from one, per fault. The first fault that strikes a call decides.
///
/// ```
/// use std::time::Duration;
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::{Fault, Method, MockPollerHost};
///
/// MockPollerHost::new()
///     // The second publish to Telegram finds the broker away; the first and the third pass.
///     .fault(Fault::on_topic("plugin.outbound.telegram.*").call(2).fails(HostError::unavailable("restarting")))
///     // Every log line is slow.
///     .fault(Fault::on(Method::Log).delays(Duration::from_secs(2)))
///     // From its third call on, the model is never heard of again.
///     .fault(Fault::on(Method::Llm).from_call(3).hangs());
/// ```
#[derive(Debug, Clone)]
#[must_use = "a fault does nothing until MockPollerHost::fault is given it"]
pub struct Fault {
    method: Method,
    topic: Option<String>,
    first: u64,
    last: u64,
    effect: Effect,
    seen: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Effect {
    Fails(HostError),
    /// The message got out, its acknowledgement did not come back.
    LosesTheAnswer(HostError),
    Delays(Duration),
    Hangs,
}

impl Fault {
    /// Strikes every call of `method`; without an effect, the call fails as unavailable.
    pub fn on(method: Method) -> Self {
        let effect = Effect::Fails(HostError::unavailable("a fault of the test"));
        Self { method, topic: None, first: 1, last: u64::MAX, effect, seen: 0 }
    }

    /// Strikes every publish on a topic that matches `pattern`.
    pub fn on_topic(pattern: impl Into<String>) -> Self {
        Self { topic: Some(pattern.into()), ..Self::on(Method::Publish) }
    }

    /// Strikes the `number`th such call only, counted from one.
    pub fn call(self, number: u64) -> Self {
        Self { first: number, last: number, ..self }
    }

    /// Strikes the `number`th such call and all that follow.
    pub fn from_call(self, number: u64) -> Self {
        Self { first: number, last: u64::MAX, ..self }
    }

    /// The call fails with `error` and does nothing.
    pub fn fails(self, error: HostError) -> Self {
        Self { effect: Effect::Fails(error), ..self }
    }

    /// The call does its work, a publish is recorded, but the poller is told `error`: the answer was lost on the way.
    pub fn loses_the_answer(self, error: HostError) -> Self {
        Self { effect: Effect::LosesTheAnswer(error), ..self }
    }

    /// The call is answered only after `delay`, in tokio's time: with `start_paused = true` a test does not wait.
    pub fn delays(self, delay: Duration) -> Self {
        Self { effect: Effect::Delays(delay), ..self }
    }

    /// The call is never answered.
    pub fn hangs(self) -> Self {
        Self { effect: Effect::Hangs, ..self }
    }

    /// Counts a call, and says what happens to it.
    pub(super) fn strikes(&mut self, method: Method, topic: Option<&str>) -> Option<Effect> {
        let on_topic = self.topic.as_deref().is_none_or(|pattern| topic.is_some_and(|topic| matches(pattern, topic)));
        if self.method != method || !on_topic {
            return None;
        }
        self.seen += 1;
        (self.first..=self.last).contains(&self.seen).then(|| self.effect.clone())
    }
}
