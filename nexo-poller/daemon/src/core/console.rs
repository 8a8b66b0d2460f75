use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nexo_poller::broker::{Broker, BrokerError};
use nexo_poller::wire::{Event, topics};
use serde_json::Value;

use crate::telemetry::pipe_writer::{PipeWriter, Stuck};

/// Messages that wait for whoever reads stdout.
const WAITING: u32 = 1024 * 1024;

/// A message is held back while somebody reads. Where nobody has for this long it fails, and with it the tick that sent it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The channel `console`: the daemon's stdout, a line for each message.
pub(crate) struct Console {
    stdout: PipeWriter,
    /// That nobody reads it was said already.
    told: AtomicBool,
}

impl Console {
    /// Takes the daemon's stdout.
    ///
    /// # Errors
    /// Where there can be no thread that writes.
    pub(crate) fn start() -> io::Result<Self> {
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        // Nothing is ever dropped for want of room.
        Ok(Self { stdout: PipeWriter::start(stdout, WAITING, |_| {})?, told: AtomicBool::new(false) })
    }

    /// Whether `topic` is the channel's.
    pub(crate) fn has(topic: &str) -> bool {
        nexo_poller::contract::matches(&topics::channel(topics::CONSOLE), topic)
    }

    /// Prints a message, once there is room for it.
    ///
    /// # Errors
    /// [`BrokerError::QueueFull`] where nobody reads.
    pub(crate) async fn print(&self, event: &Event) -> Result<(), BrokerError> {
        let mut line = line(event);
        line.push('\n');
        match self.stdout.write(line.into_bytes(), PATIENCE).await {
            Ok(()) => {
                self.told.store(false, Ordering::Relaxed);
                Ok(())
            }
            Err(Stuck) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "nobody reads the daemon's stdout: messages to the channel `console` fail, and their ticks are repeated"
                    );
                }
                Err(BrokerError::QueueFull { topic: event.topic.clone() })
            }
        }
    }

    /// Prints what other machines send there.
    ///
    /// # Errors
    /// Where `world` does not take the subscription.
    pub(crate) async fn listen_to(self: &std::sync::Arc<Self>, world: &dyn Broker) -> Result<(), BrokerError> {
        let mut messages = world.subscribe(&topics::channel(topics::CONSOLE), None).await?;
        let console = std::sync::Arc::clone(self);
        tokio::spawn(async move {
            while let Some(delivery) = messages.next().await {
                // Who has sent it may be anywhere: there is nobody to hold back.
                let _ = console.print(&delivery.event).await;
            }
        });
        Ok(())
    }

    /// Waits until everything was read, for as long as `limit`.
    pub(crate) async fn flushed(&self, limit: Duration) {
        self.stdout.flushed(limit).await;
    }
}

/// `to ← text`; a payload of another shape as compact JSON.
fn line(event: &Event) -> String {
    let text = |key: &str| event.payload.get(key).and_then(Value::as_str);
    match (text("to"), text("text")) {
        (Some(to), Some(text)) => format!("{} ← {}", one_line(to), one_line(text)),
        _ => one_line(&event.payload.to_string()),
    }
}

/// Line ends become `⏎`; other control characters must not reach a terminal.
fn one_line(text: &str) -> String {
    let text = text.trim_end().replace("\r\n", "\n");
    text.chars()
        .map(|c| match c {
            '\n' => '⏎',
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        for (payload, expected) in [
            (json!({"to": "ops", "text": "New issue"}), "ops ← New issue"),
            (json!({"to": "ops", "text": "a\r\nb\n\u{1b}[31mc\n"}), "ops ← a⏎b⏎\u{fffd}[31mc"),
            (json!({"body": "x\ny", "chat": 7}), r#"{"body":"x\ny","chat":7}"#),
        ] {
            assert_eq!(line(&Event::new("plugin.outbound.console.console", "t", payload)), expected);
        }
    }
}
