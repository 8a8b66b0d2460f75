use std::fmt;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::answer_too_large;
use super::frame::DEFAULT_MAX_LINE;
use super::methods::PUBLISH;
use super::output::Output;
use super::reader::{FirstLine, Hello, Reader, Side};
use super::rpc::{body, carry};
use super::session::{SessionEnd, StdioSession};
use crate::broker::local::check_topic;
use crate::broker::{Broker, BrokerError, LocalBroker, Subscription};
use crate::wire::{Event, ReplyTo};

/// The plugin's end of the stdio bridge: a [`Broker`] whose other side is the daemon that spawned the plugin.
///
/// A plain thread reads (tokio's stdin would cost a hop between threads for every read); a message is written by whoever
/// publishes it, whole lines at a time.
#[derive(Clone)]
pub struct StdioBroker {
    incoming: LocalBroker,
    output: Output,
    /// Of a process that runs one tick: whether the daemon takes frames at all. Looked at before the first one.
    takes_frames: Arc<OnceLock<bool>>,
    is_deaf: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for StdioBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioBroker").finish_non_exhaustive()
    }
}

/// Lets the tasks that are ready run first.
async fn after_the_others() {
    let mut waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl StdioBroker {
    /// Starts reading `input` and answers the daemon's handshake with `hello`.
    pub fn start(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        hello: Hello,
    ) -> (Self, StdioSession) {
        Self::begin(input, output, Side::LongLived(Box::new(hello)), None, Arc::new(|| false))
    }

    /// Starts reading `input`, whose first line is handed over as it is: the request for one tick, to be
    /// [answered](Self::answer_tick) by a line of its kind. A daemon that `is_deaf` before the first frame goes out would take
    /// that for the answer, so it is sent none.
    pub(crate) fn start_one_tick(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        is_deaf: impl Fn() -> bool + Send + Sync + 'static,
    ) -> (Self, StdioSession, oneshot::Receiver<FirstLine>) {
        let (sender, first) = oneshot::channel();
        let (broker, session) = Self::begin(input, output, Side::OneTick, Some(sender), Arc::new(is_deaf));
        (broker, session, first)
    }

    fn begin(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        side: Side,
        first: Option<oneshot::Sender<FirstLine>>,
        is_deaf: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> (Self, StdioSession) {
        let output = Output::new(Box::new(output));
        let incoming = LocalBroker::new();
        let (sender, ends) = mpsc::channel(4);
        let reader = Reader { incoming: incoming.clone(), output: output.clone(), side, ends: sender };
        // Never joined: it may wait for input that does not come while the process ends.
        let spawned = std::thread::Builder::new().name("stdin".to_owned()).spawn({
            let reader = reader.clone();
            move || reader.run(input, first)
        });
        if let Err(error) = spawned {
            reader.end(SessionEnd::InputFailed { reason: format!("no thread to read it: {error}") }, None);
        }
        let broker = Self { incoming, output: output.clone(), takes_frames: Arc::default(), is_deaf };
        (broker, StdioSession::new(ends, output))
    }

    /// Writes the line that answers the one tick of this process.
    pub(crate) fn answer_tick(&self, answer: &Value) -> Result<(), BrokerError> {
        let mut line = body(answer);
        let size = line.len() - 1;
        if size > DEFAULT_MAX_LINE {
            line = body(&answer_too_large(answer, false, size, DEFAULT_MAX_LINE));
        }
        self.output.write(&line)
    }
}

#[async_trait]
impl Broker for StdioBroker {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        check_topic(&event.topic)?;
        if !*self.takes_frames.get_or_init(|| !(self.is_deaf)()) {
            return Err(BrokerError::AnswerOnly);
        }
        let line = carry(PUBLISH, &event);
        // The daemon would skip it, and nobody would know.
        if line.len() > DEFAULT_MAX_LINE {
            return Err(BrokerError::TooLarge { topic: event.topic, size: line.len(), limit: DEFAULT_MAX_LINE });
        }
        self.output.write(&line)
    }

    async fn subscribe(&self, pattern: &str, queue_group: Option<&str>) -> Result<Subscription, BrokerError> {
        self.incoming.subscribe(pattern, queue_group).await
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        let question = self.incoming.ask();
        self.publish(Event::request(topic, source, question.reply_to(), body)).await?;
        question.answer(topic, timeout).await.map_err(|error| match error {
            BrokerError::Closed { .. } => {
                BrokerError::Closed { reason: "the daemon closed stdin, so it answers no calls".to_owned() }
            }
            other => other,
        })
    }

    /// Answers that are ready together go out in one write.
    async fn respond(&self, to: &ReplyTo, source: &str, body: Value) -> Result<(), BrokerError> {
        check_topic(&to.topic)?;
        let mut answer = Event::answer(&to.topic, source, body);
        let mut line = carry(PUBLISH, &answer);
        if line.len() > DEFAULT_MAX_LINE {
            // The daemon would skip it, and whoever asked would wait for his deadline, again and again.
            let short = answer_too_large(&answer.payload["payload"], true, line.len(), DEFAULT_MAX_LINE);
            answer.payload["payload"] = short;
            line = carry(PUBLISH, &answer);
        }
        self.output.add(&line);
        after_the_others().await;
        self.output.flush()
    }
}
