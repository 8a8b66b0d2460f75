use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::frame::DEFAULT_MAX_LINE;
use super::from_child::{FromChild, Listening, Rules};
use super::lines::Lines;
use super::methods::{EVENT, SHUTDOWN, Shutdown};
use super::observer::BridgeObserver;
use super::outgoing::Outgoing;
use super::rpc::{body, carry, notification};
use crate::manifest::{PluginRights, PluginSection};
use crate::wire::Event;

/// The daemon's end of the pipes to a process that runs one tick.
pub(crate) struct OneTickParent<R> {
    outgoing: Outgoing,
    listening: Listening<R>,
    plugin: Arc<str>,
    observer: Arc<dyn BridgeObserver>,
    writing: Writing,
}

/// What is left of the pipes to a child that is spoken with no more: its stdout, which stays open, and what is still being written
/// to it. Both end with this: whoever holds the other ends may have left the child's group, and live on.
pub(crate) struct ClosedTalk<R> {
    _stdout: R,
    _writing: Writing,
}

struct Writing(AbortHandle);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<R: AsyncRead + Unpin> OneTickParent<R> {
    /// Sends `request` to a child of `plugin`, as its first line.
    pub(crate) fn start(
        stdout: R,
        stdin: impl AsyncWrite + Unpin + Send + 'static,
        (plugin, rights): (&PluginSection, Arc<PluginRights>),
        request: &Value,
        observer: Arc<dyn BridgeObserver>,
    ) -> Self {
        // That it takes nothing more is no news: its answer, or its end, says more.
        let (closing, _) = watch::channel(None);
        let (outgoing, writing) = Outgoing::start(stdin, closing);
        // A queue that was made just now has room.
        let _ = outgoing.send(body(request));
        let id: Arc<str> = plugin.id.as_str().into();
        // It is asked nothing over the broker, so it owes nobody an answer there.
        let owed = Arc::default();
        let rules = Rules { plugin: Arc::clone(&id), rights, owed, observer: Arc::clone(&observer), one_tick: true };
        Self {
            outgoing,
            listening: Listening::new(Lines::new(stdout, DEFAULT_MAX_LINE), rules),
            plugin: id,
            observer,
            writing: Writing(writing),
        }
    }

    /// What the child says next; `None` at the end. May be dropped and called again: nothing is lost.
    pub(crate) async fn next(&mut self) -> io::Result<Option<FromChild>> {
        self.listening.next().await
    }

    /// Hands a message over: only a child that has asked is sent one.
    pub(crate) fn hand_over(&self, event: &Event) {
        if self.outgoing.send(carry(EVENT, event)).is_err() {
            self.observer.not_reading(&self.plugin, &event.topic);
        }
    }

    /// Tells the child that its tick is cancelled, so that it can end in good order and answer.
    pub(crate) fn cancel(&self) {
        let shutdown = Shutdown { reason: "the tick is cancelled".into() };
        // A child that does not read its stdin learns nothing this way.
        let _ = self.outgoing.send(notification(SHUTDOWN, &shutdown));
    }

    /// Closes the child's stdin, behind what is on its way.
    pub(crate) fn close_stdin(self) -> ClosedTalk<R> {
        ClosedTalk { _stdout: self.listening.into_reader(), _writing: self.writing }
    }
}
