use nexo_poller::broker::{Broker, BrokerError};
use nexo_poller::wire::{Event, topics};
use serde_json::Value;

use super::terminal::line_to_stdout;

/// Prints what is sent on the channel `console` to stdout, a line each.
///
/// # Errors
/// Where the broker does not take the subscription.
pub(crate) async fn start(broker: &dyn Broker) -> Result<(), BrokerError> {
    let mut messages = broker.subscribe(&topics::channel(topics::CONSOLE), None).await?;
    tokio::spawn(async move {
        while let Some(delivery) = messages.next().await {
            line_to_stdout(&line(&delivery.event));
        }
    });
    Ok(())
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
