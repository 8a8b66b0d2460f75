use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::console::{Effect, Watch};
use crate::contract::{ErrorClass, LogLevel, PollerError, TickAck};
use crate::wire::encode_cursor;

/// Shows ticks: line by line as things happen for a person, or one JSON object a tick for a program.
#[derive(Clone)]
pub(super) struct Report {
    out: Arc<Mutex<dyn Write + Send>>,
    json: bool,
    paint: Paint,
}

impl Report {
    /// Colours are for terminals whose owner does not object (`NO_COLOR`).
    pub(super) fn to_stdout(out: File, json: bool) -> Self {
        let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out: Arc::new(Mutex::new(out)), json, paint: Paint(colours) }
    }

    /// What a host is to call for each effect.
    pub(super) fn watch(&self) -> Watch {
        let report = self.clone();
        Arc::new(move |effect| {
            if !report.json {
                // Stdout being gone is found out at the end of the tick, where it can be reported.
                let _ = report.write(&effect_text(effect, report.paint));
            }
        })
    }

    /// The head of one tick.
    pub(super) fn begin(&self, kind: &str, job: &str, agent: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.write(&format!("{} (job `{job}`, agent `{agent}`)\n", self.paint.bold(kind)))
    }

    /// The end of one tick.
    pub(super) fn end(&self, tick: &Ended<'_>) -> io::Result<()> {
        self.write(&if self.json { format!("{}\n", tick.json()) } else { tick.text(self.paint) })
    }

    /// A remark between ticks, for a person.
    pub(super) fn remark(&self, text: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { self.write(&format!("{}\n", self.paint.dim(text))) }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// A tick that is over.
pub(super) struct Ended<'t> {
    pub(super) kind: &'t str,
    pub(super) job: &'t str,
    pub(super) agent: &'t str,
    pub(super) outcome: &'t Result<TickAck, PollerError>,
    pub(super) effects: Vec<Effect>,
    pub(super) took: Duration,
}

impl Ended<'_> {
    fn text(&self, paint: Paint) -> String {
        let took = self.took.as_millis();
        let ack = match self.outcome {
            Ok(ack) => ack,
            Err(error) => {
                let class = error.class().as_str();
                let mut text = format!("{} after {took} ms: {error}\n", paint.red(&format!("{class} error")));
                if let Some(after) = error.retry_after() {
                    text += &format!("  retry    not before {} s\n", after.as_secs());
                }
                return text + "  cursor   unchanged\n";
            }
        };
        let mut text = format!("{} in {took} ms", paint.green("ok"));
        if let Some(metrics) = ack.metrics {
            text += &format!(": {} seen, {} dispatched", metrics.items_seen, metrics.items_dispatched);
        }
        text += "\n  cursor   ";
        text += &match ack.next_cursor.as_deref() {
            None => "unchanged".to_owned(),
            Some([]) => "reset: the next tick is a first one".to_owned(),
            Some(bytes) => match cursor_json(bytes) {
                Some(value) => value.to_string(),
                None => format!("{} bytes, not JSON (base64 {})", bytes.len(), encode_cursor(bytes)),
            },
        };
        text.push('\n');
        if let Some(hint) = ack.next_interval_hint {
            text += &format!("  next     in {} s, as the tick asks\n", hint.as_secs_f64());
        }
        text
    }

    fn json(&self) -> Value {
        let mut published = Vec::new();
        let mut logged = Vec::new();
        let mut counted = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::Published { topic, payload } => published.push(json!({"topic": topic, "payload": payload})),
                Effect::Logged { level, message, fields } => {
                    logged.push(json!({"level": level, "message": message, "fields": fields}));
                }
                Effect::Counted { name, labels } => counted.push(json!({"name": name, "labels": labels})),
            }
        }
        let mut object = json!({
            "kind": self.kind,
            "job_id": self.job,
            "agent_id": self.agent,
            "outcome": self.outcome.as_ref().map_or_else(|error| error.class().as_str(), |_| "ok"),
            "published": published,
            "logged": logged,
            "counted": counted,
            "duration_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        });
        let more = match self.outcome {
            Ok(ack) => ack_json(ack),
            Err(error) => {
                let mut fields = Map::new();
                fields.insert("error".to_owned(), json!({"code": error.code(), "message": error.to_string()}));
                if let Some(after) = error.retry_after() {
                    fields.insert("retry_after_secs".to_owned(), json!(after.as_secs_f64()));
                }
                fields
            }
        };
        if let Value::Object(fields) = &mut object {
            fields.extend(more);
        }
        object
    }
}

/// The fields that an acknowledged tick has; what it did not say is left out.
fn ack_json(ack: &TickAck) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(bytes) = &ack.next_cursor {
        fields.insert("next_cursor".to_owned(), cursor_json(bytes).unwrap_or_default());
        fields.insert("next_cursor_base64".to_owned(), encode_cursor(bytes).into());
    }
    if let Some(metrics) = ack.metrics {
        fields.insert("items_seen".to_owned(), metrics.items_seen.into());
        fields.insert("items_dispatched".to_owned(), metrics.items_dispatched.into());
    }
    if let Some(hint) = ack.next_interval_hint {
        fields.insert("next_interval_secs".to_owned(), json!(hint.as_secs_f64()));
    }
    fields
}

fn cursor_json(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

fn effect_text(effect: &Effect, paint: Paint) -> String {
    match effect {
        Effect::Published { topic, payload } => {
            format!("  publish  {}\n           {payload}\n", paint.bold(topic))
        }
        Effect::Logged { level, message, fields } => {
            let level = match level {
                LogLevel::Error => paint.red("error"),
                LogLevel::Warn => paint.yellow("warn"),
                quiet => paint.dim(quiet.as_str()),
            };
            format!("  log      {level} {message}{}\n", fields_text(fields))
        }
        Effect::Counted { name, labels } => format!("  count    {name}{}\n", fields_text(labels)),
    }
}

/// Nothing where there is nothing to show.
fn fields_text(fields: &Value) -> String {
    match fields {
        Value::Null => String::new(),
        Value::Object(map) if map.is_empty() => String::new(),
        other => format!(" {other}"),
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
}

/// What a daemon would do about a failed tick, for the person in front of `dev`.
pub(super) fn consequence(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Config => "a daemon would pause this job until its config is mended",
        ErrorClass::Permanent => "a daemon would pause this job until it is resumed or reset",
        ErrorClass::Transient => "a daemon would retry with backoff",
    }
}
