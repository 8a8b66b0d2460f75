use std::io;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::AsyncRead;

use super::frame::FrameError;
use super::inboxes::Owed;
use super::lines::{Lines, NOISE, TURN_LINES, describe};
use super::methods::{Carried, PUBLISH};
use super::observer::BridgeObserver;
use super::rpc::{Frame, FrameKind};
use crate::contract::{Shown, check_topic};
use crate::manifest::PluginRights;
use crate::wire::{Event, TickReply, TooDeep, error_for, open_request, too_deep, topics};

/// Something that a child says and that somebody has to act on.
pub(crate) enum FromChild {
    /// A message that the child may publish, in its own name.
    Publish(Event),
    /// A request to the daemon.
    Request {
        /// Repeated in the answer.
        id: Value,
        /// The method.
        method: String,
    },
    /// The answer to the request `id`.
    Response {
        /// The request's id.
        id: Value,
    },
    /// The line that answers the one tick of its sender.
    Answer(Value),
}

/// Everything that a child says, held against what it may say.
pub(super) struct Listening<R> {
    lines: Lines<R>,
    rules: Rules,
    /// Lines in a row that there was nothing to do about.
    idle_lines: u64,
}

/// What holds for the lines of a child.
pub(super) struct Rules {
    pub(super) plugin: Arc<str>,
    pub(super) rights: Arc<PluginRights>,
    /// Who waits for an answer of the child.
    pub(super) owed: Arc<Owed>,
    pub(super) observer: Arc<dyn BridgeObserver>,
    /// The child answers one tick with a line that is not a frame, and ends with it.
    pub(super) one_tick: bool,
}

impl<R: AsyncRead + Unpin> Listening<R> {
    pub(super) fn new(lines: Lines<R>, rules: Rules) -> Self {
        Self { lines, rules, idle_lines: 0 }
    }

    /// The pipe, open as it is.
    pub(super) fn into_reader(self) -> R {
        self.lines.into_reader()
    }

    /// What the child says next; `None` at the end. May be dropped and called again: nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Option<FromChild>> {
        loop {
            while let Some(line) = self.lines.framer.next_line() {
                let said = match line {
                    Ok(line) => self.rules.read(line),
                    Err(error) => self.rules.unreadable(error),
                };
                if said.is_some() {
                    self.idle_lines = 0;
                    return Ok(said);
                }
                self.idle_lines += 1;
                if self.idle_lines.is_multiple_of(TURN_LINES) {
                    tokio::task::yield_now().await;
                }
            }
            if !self.lines.fill(self.idle_lines >= NOISE).await? {
                if !self.rules.one_tick || self.lines.framer.rest().is_empty() {
                    return Ok(None);
                }
                // The last line of such a child may lack its newline.
                self.lines.framer.push(b"\n");
            }
        }
    }
}

impl Rules {
    /// One line; `None` where there is nothing to do about it.
    fn read(&self, line: &str) -> Option<FromChild> {
        match Frame::read(line) {
            Some(FrameKind::Notification { method, params }) if method == PUBLISH => self.publish(params),
            // Nobody answers a child that runs one tick: its id is passed over.
            Some(FrameKind::Request { method, params, .. }) if self.one_tick && method == PUBLISH => {
                self.publish(params)
            }
            Some(FrameKind::Request { id, method, .. }) if !self.one_tick => {
                Some(FromChild::Request { id, method: method.into_owned() })
            }
            Some(FrameKind::Notification { .. } | FrameKind::Request { .. }) => None,
            Some(FrameKind::Response { id, .. }) if !self.one_tick => Some(FromChild::Response { id }),
            Some(FrameKind::Response { .. }) | None => {
                // A published child may leave out `result` around the fields of its answer: that is not a frame.
                let read = || serde_json::from_str(line).ok().or_else(|| error_for(line));
                let answer = self.one_tick.then(read).flatten().filter(TickReply::is_one);
                if answer.is_none() {
                    self.observer.bad_line(&self.plugin, &describe(None));
                }
                answer.map(FromChild::Answer)
            }
        }
    }

    fn publish(&self, params: Option<&RawValue>) -> Option<FromChild> {
        let mut event = match Carried::read(params).ok_or_else(|| Carried::read_too_deep(params)) {
            Ok(event) => event,
            // A call is answered with why, and an answer becomes that error: one call fails.
            Err(Some(TooDeep { event, asks })) if asks || topics::is_inbox(&event.topic) => event,
            Err(deep) => {
                self.observer.bad_line(&self.plugin, "a malformed `broker.publish`");
                let why = match deep {
                    Some(deep) => format!("a message on `{}` cannot be read: {}", Shown(&deep.event.topic), too_deep()),
                    None => "a `broker.publish` is malformed".to_owned(),
                };
                self.observer.lost(&self.plugin, &why);
                return None;
            }
        };
        if topics::is_inbox(&event.topic) && !self.owed.pay(&event.topic) {
            // Nobody waits for it (any more): no message to others is lost with it.
            self.observer.not_allowed(&self.plugin, &event.topic, &self.rights.publish_list());
            return None;
        }
        if let Some(topic) = self.forbidden(&event) {
            let allowed = self.rights.publish_list();
            self.observer.not_allowed(&self.plugin, topic, &allowed);
            self.observer.lost_message(&self.plugin, &event, &not_allowed(topic, &allowed));
            return None;
        }
        // Nobody publishes in another's name.
        self.plugin.as_ref().clone_into(&mut event.source);
        event.make_readable();
        Some(FromChild::Publish(event))
    }

    /// The topic that `event` may not reach, if there is one: its own, or the one that it wants to be answered on. Answers go to
    /// inboxes: anywhere else, somebody would publish in the plugin's place.
    fn forbidden<'e>(&self, event: &'e Event) -> Option<&'e str> {
        if !topics::is_inbox(&event.topic) && !self.rights.may_publish(&event.topic) {
            return Some(&event.topic);
        }
        // Only a request is answered; a field of that name in any other payload is the author's own.
        open_request(&event.payload).1?;
        let reply_to = event.payload.get("reply_to").and_then(Value::as_str)?;
        (!topics::is_inbox(reply_to) || check_topic(reply_to).is_err()).then_some(reply_to)
    }

    fn unreadable(&self, error: FrameError) -> Option<FromChild> {
        self.observer.bad_line(&self.plugin, &error.to_string());
        if let FrameError::TooLong { object: true, .. } = error {
            self.observer.lost(&self.plugin, &error.to_string());
        }
        None
    }
}

/// Why a message on `topic` was dropped.
fn not_allowed(topic: &str, allowed: &[String]) -> String {
    format!("`{}` is outside of what the plugin may publish on [{}]", Shown(topic), allowed.join(", "))
}
