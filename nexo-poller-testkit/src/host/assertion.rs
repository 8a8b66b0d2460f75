use std::fmt;
use std::fmt::{Display, Write as _};

use serde_json::Value;

use super::{MockPollerHost, Published};

/// Some of the messages that a [`MockPollerHost`] took: each method narrows them, or says something about all of them.
///
/// A failure prints what was expected beside what really came:
///
/// ```text
/// expected: 2 messages on `plugin.outbound.telegram.*`
///   actual: 1 message
///           1. plugin.outbound.telegram.bot_1  {"text":"hello","to":"1"}
/// all that was published:
///           1. plugin.outbound.telegram.bot_1  {"text":"hello","to":"1"}
///           2. plugin.outbound.email.me  {"text":"hello","to":"me"}
/// ```
pub struct Selection {
    host: MockPollerHost,
    /// Positions in the host's record.
    chosen: Vec<usize>,
    /// What was asked for so far, as words.
    wanted: String,
}

impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selection").field("wanted", &self.wanted).field("chosen", &self.chosen).finish_non_exhaustive()
    }
}

impl MockPollerHost {
    /// Selects what was published on topics that match `pattern`, to be looked at more closely.
    ///
    /// # Panics
    /// Where nothing was.
    #[track_caller]
    pub fn assert_published(&self, pattern: &str) -> Selection {
        Selection::on_topic(self, pattern)
    }
}

impl Selection {
    #[track_caller]
    pub(super) fn on_topic(host: &MockPollerHost, pattern: &str) -> Self {
        let all = Self { host: host.clone(), chosen: (0..host.published().len()).collect(), wanted: String::new() };
        all.narrowed(&format!("on `{pattern}`"), |message| message.is_on(pattern))
    }

    /// Keeps the messages whose payload is `payload`.
    ///
    /// # Panics
    /// Where none is.
    #[track_caller]
    pub fn with_payload(self, payload: impl Into<Value>) -> Self {
        let payload = payload.into();
        self.narrowed(&format!("with the payload {payload}"), |message| message.payload == payload)
    }

    /// Keeps the messages whose payload contains `part`: every key of `part`, at every depth, with its value. Arrays are
    /// compared whole.
    ///
    /// # Panics
    /// Where none does.
    #[track_caller]
    pub fn containing(self, part: impl Into<Value>) -> Self {
        let part = part.into();
        self.narrowed(&format!("containing {part}"), |message| contains(&message.payload, &part))
    }

    /// Keeps the messages whose payload `holds`; `what` says it in words, for the failure: "whose text has a link".
    ///
    /// # Panics
    /// Where none does.
    #[track_caller]
    pub fn matching(self, what: &str, holds: impl Fn(&Value) -> bool) -> Self {
        self.narrowed(what, |message| holds(&message.payload))
    }

    /// There are exactly `count` of them.
    ///
    /// # Panics
    /// Where there are more or fewer.
    #[track_caller]
    pub fn times(self, count: usize) -> Self {
        if self.chosen.len() != count {
            self.fail(&format!("{} {}", messages(count), self.wanted));
        }
        self
    }

    /// Their `text` fields are exactly `texts`, in this order.
    ///
    /// # Panics
    /// Where they are not.
    #[track_caller]
    pub fn texts<S: AsRef<str> + Display>(self, texts: impl IntoIterator<Item = S>) -> Self {
        let expected: Vec<_> = texts.into_iter().collect();
        let messages = self.messages();
        let actual = messages.iter().map(|message| message.payload.get("text").and_then(Value::as_str));
        if !actual.eq(expected.iter().map(|text| Some(text.as_ref()))) {
            let listed: String = numbered(expected.iter().map(|text| format!("{:?}", text.as_ref())));
            self.fail(&format!("these texts {}, in this order{listed}", self.wanted));
        }
        self
    }

    /// They came in an order in which `key` never falls.
    ///
    /// # Panics
    /// Where one came before another that should have come first.
    #[track_caller]
    pub fn sorted_by_key<K: PartialOrd>(self, what: &str, key: impl Fn(&Value) -> K) -> Self {
        let messages = self.messages();
        if !messages.is_sorted_by(|a, b| key(&a.payload) <= key(&b.payload)) {
            self.fail(&format!("messages {} sorted by {what}", self.wanted));
        }
        self
    }

    /// The messages, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Published> {
        let all = self.host.published();
        self.chosen.iter().filter_map(|&at| all.get(at).cloned()).collect()
    }

    #[track_caller]
    fn narrowed(mut self, what: &str, holds: impl Fn(&Published) -> bool) -> Self {
        let all = self.host.published();
        let before = std::mem::take(&mut self.chosen);
        self.chosen = before.iter().copied().filter(|&at| holds(&all[at])).collect();
        if !self.wanted.is_empty() {
            self.wanted.push(' ');
        }
        self.wanted.push_str(what);
        if self.chosen.is_empty() {
            self.fail(&format!("at least one message {}", self.wanted));
        }
        self
    }

    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        let actual = self.messages();
        let listed = numbered(&actual);
        let all = self.host.published();
        let mut report = format!("\nexpected: {expected}\n  actual: {}{listed}", messages(actual.len()));
        if all.len() > actual.len() {
            let _ = write!(report, "\nall that was published:{}", numbered(&all));
        }
        panic!("{report}\n");
    }
}

/// What an assertion was left speaking of counts as expected.
impl Drop for Selection {
    fn drop(&mut self) {
        let mut inner = self.host.inner();
        for &at in &self.chosen {
            if let Some(recorded) = inner.published.get_mut(at) {
                recorded.asserted = true;
            }
        }
    }
}

impl MockPollerHost {
    /// Every message that was published is one that an assertion before this one has spoken of.
    ///
    /// # Panics
    /// Where another was published.
    #[track_caller]
    pub fn assert_nothing_else(&self) {
        let all = self.published();
        let unspoken: Vec<_> = {
            let inner = self.inner();
            all.iter()
                .zip(&inner.published)
                .filter(|(_, recorded)| !recorded.asserted)
                .map(|(m, _)| m.clone())
                .collect()
        };
        assert!(
            unspoken.is_empty(),
            "\nexpected: nothing but what was asserted so far\n  actual: {} more{}\n",
            messages(unspoken.len()),
            numbered(&unspoken)
        );
    }

    /// Nothing was published at all.
    ///
    /// # Panics
    /// Where something was.
    #[track_caller]
    pub fn assert_nothing_published(&self) {
        let all = self.published();
        assert!(all.is_empty(), "\nexpected: nothing published\n  actual: {}{}\n", messages(all.len()), numbered(&all));
    }

    /// Messages on these topic patterns were published in this order; others may stand between them.
    ///
    /// # Panics
    /// Where one of them is missing, or came before its predecessor.
    #[track_caller]
    pub fn assert_order<S: AsRef<str>>(&self, patterns: impl IntoIterator<Item = S>) {
        let patterns: Vec<_> = patterns.into_iter().collect();
        let all = self.published();
        let mut rest = all.iter();
        for pattern in &patterns {
            if !rest.any(|message| message.is_on(pattern.as_ref())) {
                let expected = numbered(patterns.iter().map(|pattern| format!("on `{}`", pattern.as_ref())));
                panic!(
                    "\nexpected: messages in this order{expected}\n  actual: no message on `{}` at its place among {}{}\n",
                    pattern.as_ref(),
                    messages(all.len()),
                    numbered(&all)
                );
            }
        }
    }

    /// A line was logged whose message contains `text`.
    ///
    /// # Panics
    /// Where none was.
    #[track_caller]
    pub fn assert_logged(&self, text: &str) {
        let logs = self.logs();
        assert!(
            logs.iter().any(|line| line.message.contains(text)),
            "\nexpected: a log line containing {text:?}\n  actual: {} logged{}\n",
            plural(logs.len(), "line"),
            numbered(&logs)
        );
    }
}

/// Whether `whole` has everything that `part` has.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|found| contains(found, value)))
        }
        (whole, part) => whole == part,
    }
}

fn messages(count: usize) -> String {
    plural(count, "message")
}

fn plural(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

fn numbered<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut lines = String::new();
    for (index, item) in items.into_iter().enumerate() {
        let _ = write!(lines, "\n          {}. {item}", index + 1);
    }
    lines
}
