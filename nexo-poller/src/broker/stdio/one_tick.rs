use std::io;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

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
        let outgoing = Outgoing::start(stdin, closing);
        // A queue that was made just now has room.
        let _ = outgoing.send(body(request));
        let id: Arc<str> = plugin.id.as_str().into();
        // It is asked nothing over the broker, so it owes nobody an answer there.
        let owed = Arc::default();
        let rules = Rules { plugin: Arc::clone(&id), rights, owed, observer: Arc::clone(&observer), one_tick: true };
        Self { outgoing, listening: Listening::new(Lines::new(stdout, DEFAULT_MAX_LINE), rules), plugin: id, observer }
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

    /// Closes the child's stdin. Its stdout stays open as long as what is returned lives.
    pub(crate) fn close_stdin(self) -> R {
        self.listening.into_reader()
    }
}
