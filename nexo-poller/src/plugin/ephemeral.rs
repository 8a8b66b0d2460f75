use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::oneshot;

use super::orphans;
use super::serve::TickServer;
use super::stdio::GRACE_WITHOUT_DAEMON;
use super::ticks::TickRunner;
use crate::broker::stdio::{DEFAULT_MAX_LINE, answer_too_large, carry};
use crate::broker::{Broker, BrokerError, Subscription};
use crate::manifest::Manifest;
use crate::wire::{Event, RpcError, code, error_body, open_answer, random_id, topics};

/// The longest line that is read. A request holds a config and a cursor; more than this is no request.
const MAX_LINE: u64 = 16 << 20;

/// Runs the one tick that a line of `input` asks for and writes the line that answers it. In between, `broker.publish`
/// frames go out and `broker.event` frames come in, so that publishes and calls to the daemon work.
///
/// # Errors
/// Where the request cannot be read, or the answer not be written.
pub(super) async fn one_tick(input: File, output: File, ticks: TickRunner, manifest: &Manifest) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let watched = output.try_clone()?;
    let pipe = Arc::new(Pipe { output: Mutex::new(output), waiting: Mutex::new(Some(HashMap::new())) });
    let answer = match read_line(&mut input)? {
        None => {
            let message = "stdin ended before a request; an ephemeral poller is sent one `poll_tick` line";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        Some(line) => match serde_json::from_slice::<Value>(&line) {
            Err(_) => error_body(&RpcError {
                code: code::PARSE_ERROR,
                message: format!("the request is not one JSON line of at most {MAX_LINE} bytes"),
                retry_after: None,
            }),
            Ok(request) => {
                let (events, ticks) = (Arc::clone(&pipe), Arc::new(ticks));
                let tick = Arc::clone(&ticks);
                // A plain thread, never joined: it may wait for a line that does not come.
                std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
                    events.listen(input, &tick);
                    outlive_nobody(&watched, &tick);
                })?;
                let broker: Arc<dyn Broker> = Arc::clone(&pipe) as _;
                let server = TickServer::new(broker, ticks, manifest);
                server.answer_body(&request, false).await
            }
        },
    };
    let written = pipe.write(&answer);
    if written.is_err() {
        orphans::end_with_children();
    }
    written
}

/// Waits until the daemon is gone, gives the tick a moment to end, and ends the process with everything that it has
/// forked.
fn outlive_nobody(output: &File, ticks: &TickRunner) {
    // A daemon that answers no calls closes stdin early, so that the end of stdin says nothing. Where it cannot be told
    // whether somebody reads, the tick ends at its deadline.
    if orphans::wait_until_unread(output).is_ok() {
        ticks.stop();
        std::thread::sleep(GRACE_WITHOUT_DAEMON);
        orphans::end_with_children();
    }
}

/// The broker of an ephemeral tick: frames on the pipes to the daemon.
struct Pipe {
    output: Mutex<File>,
    /// Calls that wait for their answer, by reply topic; `None` once no answer can come any more.
    waiting: Mutex<Option<HashMap<String, oneshot::Sender<Value>>>>,
}

impl Pipe {
    fn write(&self, answer: &Value) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        if line.len() > DEFAULT_MAX_LINE {
            line = serde_json::to_vec(&answer_too_large(line.len(), DEFAULT_MAX_LINE))?;
        }
        line.push(b'\n');
        self.write_line(&line)
    }

    fn write_line(&self, line: &[u8]) -> io::Result<()> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        output.write_all(line)?;
        output.flush()
    }

    fn send(&self, event: &Event) -> Result<(), BrokerError> {
        let line = carry("broker.publish", event);
        if line.len() > DEFAULT_MAX_LINE {
            let (topic, size) = (event.topic.clone(), line.len());
            return Err(BrokerError::TooLarge { topic, size, limit: DEFAULT_MAX_LINE });
        }
        self.write_line(&line)
            .map_err(|error| BrokerError::Closed { reason: format!("the daemon reads no more: {error}") })
    }

    /// Hands answers to the calls that wait for them until stdin ends, and cancels the tick where it is told to.
    fn listen(&self, mut input: impl BufRead, ticks: &TickRunner) {
        while let Ok(Some(line)) = read_line(&mut input) {
            let Ok(mut frame) = serde_json::from_slice::<Value>(&line) else { continue };
            if frame.get("method").and_then(Value::as_str) == Some("shutdown") {
                ticks.stop();
                continue;
            }
            let Some(payload) = frame.pointer_mut("/params/event/payload").map(Value::take) else { continue };
            let topic = frame.pointer("/params/topic").and_then(Value::as_str).unwrap_or_default();
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(call) = waiting.as_mut().and_then(|calls| calls.remove(topic)) {
                // Whoever asked may have given up by now.
                let _ = call.send(open_answer(payload));
            }
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn forget(&self, reply_to: &str) {
        if let Some(calls) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            calls.remove(reply_to);
        }
    }
}

#[async_trait]
impl Broker for Pipe {
    async fn publish(&self, event: Event) -> Result<(), BrokerError> {
        self.send(&event)
    }

    async fn subscribe(&self, _: &str, _: Option<&str>) -> Result<Subscription, BrokerError> {
        Err(BrokerError::Closed { reason: "an ephemeral poller is sent answers only".to_owned() })
    }

    async fn request(&self, topic: &str, source: &str, body: Value, timeout: Duration) -> Result<Value, BrokerError> {
        let closed = || BrokerError::Closed { reason: "the daemon closed stdin, so it answers no calls".to_owned() };
        let reply_to = topics::reply(&random_id());
        let (call, answer) = oneshot::channel();
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(calls) => calls.insert(reply_to.clone(), call),
            None => return Err(closed()),
        };
        let sent = self.send(&Event::request(topic, source, &reply_to, body));
        let answer = match sent {
            Ok(()) => tokio::time::timeout(timeout, answer).await,
            Err(error) => {
                self.forget(&reply_to);
                return Err(error);
            }
        };
        match answer {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(_)) => Err(closed()),
            Err(_) => {
                self.forget(&reply_to);
                Err(BrokerError::Timeout { topic: topic.to_owned(), after: timeout })
            }
        }
    }
}

/// The next line that is not blank, at most [`MAX_LINE`] bytes of it; `None` at the end.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") && line.len() as u64 == MAX_LINE {
            input.skip_until(b'\n')?;
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_are_skipped_and_a_huge_one_is_cut_before_the_next() {
        let mut bytes = b"\n \r\n".to_vec();
        bytes.resize(bytes.len() + MAX_LINE as usize + 5, b'x');
        bytes.extend_from_slice(b"\nnext\nlast");
        let mut input = io::Cursor::new(bytes);
        assert_eq!(read_line(&mut input).unwrap().unwrap().len() as u64, MAX_LINE);
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"next\n");
        assert_eq!(read_line(&mut input).unwrap().unwrap(), b"last");
        assert_eq!(read_line(&mut input).unwrap(), None);
    }
}
