use std::io::{ErrorKind, Read, Write as _};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::frame::{FrameError, LineFramer};
use super::methods::{CANCEL, Carried, EVENT, INITIALIZE, Introduction, SHUTDOWN, Shutdown};
use super::output::Output;
use super::rpc::{Frame, FrameKind, refusal, result};
use super::session::{Ended, SessionEnd};
use crate::broker::LocalBroker;
use crate::manifest::Manifest;
use crate::wire::code;

/// How much is read from the daemon at once.
const CHUNK: usize = 64 * 1024;

/// A daemon's lines hold configs and cursors: more than it would accept itself.
pub(crate) const MAX_LINE: usize = 16 * 1024 * 1024;

/// Whether `line` is a daemon's first word to a plugin that it has started.
#[cfg(feature = "nats")]
pub(crate) fn asks_who_we_are(line: &str) -> bool {
    matches!(Frame::read(line), Some(FrameKind::Request { method, .. }) if method == INITIALIZE)
}

/// What a plugin answers to `initialize`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Hello {
    /// Who the plugin is and what it serves.
    pub manifest: Manifest,
    /// Name and version, as in `jira-0.1.0`.
    pub server_version: String,
}

impl Hello {
    /// Says that the plugin is the one of `manifest`, in this version.
    pub fn new(manifest: Manifest, server_version: impl Into<String>) -> Self {
        Self { manifest, server_version: server_version.into() }
    }
}

/// What a daemon is to this process.
#[derive(Clone)]
pub(super) enum Side {
    /// It asks who the plugin is, and the plugin answers its requests.
    LongLived(Box<Hello>),
    /// It is sent frames and the answer to its first line, nothing else.
    OneTick,
}

/// The first line of a daemon that asks for one tick.
pub(crate) type FirstLine = Result<String, FrameError>;

/// The thread that reads the daemon's lines.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) incoming: LocalBroker,
    pub(super) output: Output,
    pub(super) side: Side,
    pub(super) ends: mpsc::Sender<Ended>,
}

impl Reader {
    /// Reads until the end. Where `first` waits for it, the first line is not a frame.
    pub(super) fn run(self, mut input: impl Read, mut first: Option<oneshot::Sender<FirstLine>>) {
        let mut framer = LineFramer::new(MAX_LINE);
        let mut chunk = vec![0; CHUNK];
        let end = loop {
            match input.read(&mut chunk) {
                Ok(0) => break SessionEnd::InputClosed,
                Ok(length) => framer.push(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A socket's way to say that the other side is gone.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break SessionEnd::InputClosed,
                Err(error) => break SessionEnd::InputFailed { reason: error.to_string() },
            }
            self.take_all(&mut framer, &mut first);
        };
        if first.is_some() && !framer.rest().is_empty() {
            // The one line of a daemon that closes stdin after it may lack its newline.
            framer.push(b"\n");
            self.take_all(&mut framer, &mut first);
        }
        self.end(end, None);
        self.incoming.close();
    }

    fn take_all(&self, framer: &mut LineFramer, first: &mut Option<oneshot::Sender<FirstLine>>) {
        while let Some(line) = framer.next_line() {
            let blank = line.is_ok_and(|line| line.trim().is_empty());
            match line {
                _ if first.is_some() && blank => {}
                line if first.is_some() => {
                    if let Some(first) = first.take() {
                        // Whoever waits has the process end without it.
                        let _ = first.send(line.map(str::to_owned));
                    }
                }
                Ok(line) => self.take(line),
                Err(error) => warn(&format!("{error}; it was skipped")),
            }
        }
    }

    fn take(&self, line: &str) {
        match Frame::read(line) {
            Some(FrameKind::Notification { method, params }) if method == EVENT => match Carried::read(params) {
                Some(event) => {
                    if let Err(error) = self.incoming.publish_now(event) {
                        warn(&format!("an event was dropped: {error}"));
                    }
                }
                None => warn("a malformed `broker.event` was dropped"),
            },
            Some(FrameKind::Notification { method, params }) if method == CANCEL => {
                // Where nobody listens there is nothing to end.
                let _ = Carried::read(params).map(|event| self.incoming.publish_now(event));
            }
            Some(FrameKind::Request { id, method, params }) => match &self.side {
                Side::LongLived(hello) => self.answer(hello, id, &method, params),
                // An answer would be taken for the tick's.
                Side::OneTick => self.cancel(&method, params),
            },
            Some(FrameKind::Notification { method, params }) if matches!(self.side, Side::OneTick) => {
                self.cancel(&method, params);
            }
            // Other notifications belong to other parts of a daemon.
            Some(FrameKind::Notification { .. } | FrameKind::Response { .. }) => {}
            None => warn("a line that is not JSON-RPC was skipped"),
        }
    }

    fn answer(&self, hello: &Hello, id: Value, method: &str, params: Option<&RawValue>) {
        let answer = match method {
            INITIALIZE => result(&id, &json!(Introduction::new(&hello.manifest, &hello.server_version))),
            SHUTDOWN => {
                self.end(SessionEnd::Shutdown { reason: Shutdown::reason(params) }, Some(id));
                return;
            }
            other => refusal(&id, code::METHOD_NOT_FOUND, &format!("method `{other}` is not known to this plugin")),
        };
        // Where the daemon is gone, stdin ends next.
        let _ = self.output.write(&answer);
    }

    /// The daemon's word that the tick is to end.
    fn cancel(&self, method: &str, params: Option<&RawValue>) {
        if method == SHUTDOWN {
            self.end(SessionEnd::Shutdown { reason: Shutdown::reason(params) }, None);
        }
    }

    /// Whoever serves may be gone already; then nobody needs to know.
    pub(super) fn end(&self, end: SessionEnd, shutdown_id: Option<Value>) {
        let _ = self.ends.try_send((end, shutdown_id));
    }
}

/// Tells the operator through stderr, which the daemon keeps as the plugin's log: an author's binary has no subscriber
/// for `tracing`.
fn warn(what: &str) {
    // Where stderr is closed nobody listens.
    let _ = writeln!(std::io::stderr(), "from the daemon: {what}");
}
