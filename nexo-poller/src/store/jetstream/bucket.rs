use std::fmt::Write as _;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::{self, kv, stream};
use async_nats::{Client, HeaderMap, Message, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::JetStreamOptions;
use crate::store::{StoreError, UnixMs};

/// The server's code for a write whose condition does not hold.
const WRONG_LAST_SEQUENCE: u64 = 10_071;

/// The server's code for a subject without a message.
const NO_MESSAGE: u64 = 10_037;

/// The server's code for a value that is larger than the bucket allows.
const TOO_LARGE: u64 = 10_054;

/// What the condition of a write adds to it, at most.
const HEADERS: usize = 128;

/// The condition of a write.
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// The bucket's stream, asked in the words of the protocol: each write needs its own condition, and a client that hides
/// it behind "update" has been seen to lose more than it hides.
pub(super) struct Bucket {
    client: Client,
    name: String,
    get_topic: String,
    timeout: Duration,
}

/// An entry as it was read.
pub(super) struct Found {
    pub(super) sequence: u64,
    /// Empty where it was deleted.
    pub(super) value: Vec<u8>,
}

/// What became of a write.
pub(super) enum Written {
    /// It is stored, under this sequence.
    At(u64),
    /// The entry has moved on.
    Conflict,
}

#[derive(Deserialize)]
struct Answer {
    seq: Option<u64>,
    message: Option<Raw>,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Raw {
    seq: u64,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl Bucket {
    pub(super) async fn open(client: Client, options: JetStreamOptions) -> Result<Self, StoreError> {
        let context = jetstream::new(client.clone());
        let config = kv::Config {
            bucket: options.bucket.clone(),
            description: "job state of nexo-poller".to_owned(),
            history: options.history.clamp(1, 64).into(),
            storage: stream::StorageType::File,
            num_replicas: options.replicas,
            ..kv::Config::default()
        };
        let name = options.bucket;
        // One that is there already is used as it is, whatever its depth.
        if context.get_key_value(&name).await.is_err() {
            context.create_key_value(config).await.map_err(|error| {
                StoreError::unavailable(format!(
                    "the JetStream bucket `{name}` can neither be opened nor made: {error}"
                ))
            })?;
        }
        let get_topic = format!("$JS.API.STREAM.MSG.GET.KV_{name}");
        Ok(Self { client, get_topic, name, timeout: options.timeout })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the entry of a job is. Ids may hold anything but spaces; keys may not.
    pub(super) fn subject(&self, id: &str) -> String {
        let mut subject = format!("$KV.{}.", self.name);
        for byte in id.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') {
                subject.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(subject, "={byte:02X}");
            }
        }
        subject
    }

    /// Fails at once where it is known that nothing can be written.
    pub(super) fn reachable(&self) -> Result<(), StoreError> {
        match self.client.connection_state() {
            State::Connected => Ok(()),
            State::Pending | State::Disconnected => {
                Err(StoreError::unavailable("the NATS server cannot be reached; is it running?"))
            }
        }
    }

    /// Every entry of a job that the bucket still has, oldest first, and when the server took it.
    pub(super) async fn history(&self, id: &str) -> Result<Vec<(UnixMs, Vec<u8>)>, StoreError> {
        let subject = self.subject(id);
        let key = subject.rsplit('.').next().unwrap_or_default();
        let bucket = jetstream::new(self.client.clone()).get_key_value(&self.name).await;
        let entries = match bucket {
            Ok(bucket) => bucket.history(key).await.map_err(|error| self.malformed(&error.to_string()))?,
            Err(error) => return Err(self.malformed(&error.to_string())),
        };
        let mut entries = std::pin::pin!(entries);
        let mut found = Vec::new();
        let silent = |_| self.malformed("its history does not come; may this user make consumers?");
        while let Some(entry) = timeout(self.timeout, entries.next()).await.map_err(silent)? {
            let entry = entry.map_err(|error| self.malformed(&error.to_string()))?;
            let written = i64::try_from(entry.created.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
            found.push((UnixMs(written), entry.value.to_vec()));
        }
        Ok(found)
    }

    /// The newest entry on `subject`, as the stream's leader knows it.
    pub(super) async fn get(&self, subject: &str) -> Result<Option<Found>, StoreError> {
        let payload = json!({"last_by_subj": subject}).to_string();
        let answer = self.ask(self.get_topic.clone(), HeaderMap::new(), payload.into()).await?;
        let answer = self.read(&answer)?;
        match (answer.message, answer.error) {
            (Some(raw), _) => {
                let value = STANDARD.decode(raw.data).map_err(|_| self.malformed("an entry is not base64"))?;
                Ok(Some(Found { sequence: raw.seq, value }))
            }
            (None, Some(refusal)) if refusal.err_code == NO_MESSAGE => Ok(None),
            (None, Some(refusal)) => Err(self.refused(&refusal)),
            (None, None) => Err(self.malformed("an answer without a message")),
        }
    }

    /// Writes where the newest entry on `subject` is `expected`; 0: where there is none.
    pub(super) async fn put(&self, subject: &str, expected: u64, value: Vec<u8>) -> Result<Written, StoreError> {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, expected.to_string());
        let (size, limit) = (value.len() + HEADERS, self.client.max_payload());
        if size > limit {
            return Err(StoreError::Refused {
                reason: format!(
                    "the job's state has {size} bytes, and the NATS server takes {limit}: its cursor is too large"
                ),
            });
        }
        let answer = self.ask(subject.to_owned(), headers, value.into()).await?;
        let answer = self.read(&answer)?;
        match (answer.seq, answer.error) {
            (_, Some(refusal)) if refusal.err_code == WRONG_LAST_SEQUENCE => Ok(Written::Conflict),
            (_, Some(refusal)) if refusal.err_code == TOO_LARGE => Err(StoreError::Refused {
                reason: format!(
                    "the job's state is too large for the JetStream bucket `{}`: its cursor is too large",
                    self.name
                ),
            }),
            (_, Some(refusal)) => Err(self.refused(&refusal)),
            (Some(sequence), None) => Ok(Written::At(sequence)),
            (None, None) => Err(self.malformed("an answer without a sequence")),
        }
    }

    async fn ask(&self, topic: String, headers: HeaderMap, payload: Bytes) -> Result<Message, StoreError> {
        let request = Request::new().headers(headers).payload(payload).timeout(Some(self.timeout));
        let answer = self.client.send_request(topic, request).await.map_err(|error| {
            let name = &self.name;
            StoreError::unavailable(format!("the JetStream bucket `{name}` does not answer: {error}"))
        })?;
        match answer.status {
            Some(StatusCode::NO_RESPONDERS) => Err(self.malformed("no server answers for it")),
            _ => Ok(answer),
        }
    }

    fn read(&self, answer: &Message) -> Result<Answer, StoreError> {
        serde_json::from_slice::<Value>(&answer.payload)
            .and_then(Answer::deserialize)
            .map_err(|_| self.malformed("an answer that is not JetStream's"))
    }

    fn refused(&self, refusal: &Refusal) -> StoreError {
        self.malformed(&refusal.description)
    }

    fn malformed(&self, what: &str) -> StoreError {
        StoreError::unavailable(format!("the JetStream bucket `{}`: {what}", self.name))
    }
}
