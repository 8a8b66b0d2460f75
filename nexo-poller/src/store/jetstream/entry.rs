use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::store::row::{Lease, Row};
use crate::store::{Breaker, FailureNote, JobState, LastRun, Pause, RunOutcome, Slot, UnixMs};

/// The newest form of an entry that this program knows.
const VERSION: u32 = 1;

/// A job as it is written: JSON, so that an operator can read it with any tool.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    v: u32,
    id: String,
    /// Who made this very write: tells a write whose answer was lost from one that never arrived.
    pub(super) write: String,
    revision: u64,
    epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseEntry>,
    state: StateEntry,
}

/// No time of day: a lease's end is for each to measure.
#[derive(Serialize, Deserialize)]
struct LeaseEntry {
    owner: String,
    ttl_ms: u64,
}

/// Instants are milliseconds since 1970.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct StateEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<(i64, i64)>,
    /// URL-safe base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_cursor: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    attempt: u32,
    #[serde(skip_serializing_if = "is_default")]
    errors: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_until: Option<i64>,
    /// Until when, and how often in a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<(i64, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<Box<Pause>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<LastEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Box<FailureNote>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_alert: Option<i64>,
    #[serde(skip_serializing_if = "is_default")]
    planned_by: i64,
    #[serde(skip_serializing_if = "is_default")]
    skew: i64,
}

#[derive(Serialize, Deserialize)]
struct LastEntry {
    /// `LastRun::scheduled_at`; entries that exist have it under this name.
    nominal: i64,
    started: i64,
    ended: i64,
    outcome: RunOutcome,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Entry {
    /// The bytes of `row`, written under the name `write`.
    pub(super) fn bytes(id: &str, write: String, row: &Row) -> Vec<u8> {
        let lease = row.lease.as_ref().map(|lease| LeaseEntry {
            owner: lease.owner.to_string(),
            ttl_ms: u64::try_from(lease.ttl.as_millis()).unwrap_or(u64::MAX),
        });
        let (revision, epoch) = (row.revision, row.epoch);
        let entry =
            Self { v: VERSION, id: id.to_owned(), write, revision, epoch, lease, state: StateEntry::of(&row.state) };
        // Writing to memory cannot fail, and no type here has keys that are not strings.
        serde_json::to_vec(&entry).unwrap_or_default()
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// What is wrong, without quoting it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let entry: Self = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not valid job state (line {}, column {})", error.line(), error.column()))?;
        if entry.v > VERSION {
            return Err(format!("it has version {}, this program knows up to {VERSION}: run the newer one", entry.v));
        }
        Ok(entry)
    }

    /// As a row whose lease, where there is one, was seen first at `now`.
    pub(super) fn into_row(self, key: i64, now: UnixMs) -> Result<Row, String> {
        let lease = self.lease.map(|lease| {
            let ttl = Duration::from_millis(lease.ttl_ms);
            Lease { owner: lease.owner.into(), until: now.plus(ttl), ttl }
        });
        Ok(Row { key, revision: self.revision, epoch: self.epoch, lease, state: self.state.into_state()? })
    }
}

impl StateEntry {
    fn of(state: &JobState) -> Self {
        let encode = |cursor: &[u8]| URL_SAFE_NO_PAD.encode(cursor);
        Self {
            next: state.next.map(|next| (next.scheduled_at.0, next.due.0)),
            cursor: state.cursor.as_deref().map(encode),
            previous_cursor: state.previous_cursor.as_deref().map(encode),
            attempt: state.attempt,
            errors: state.errors,
            backoff_until: state.backoff_until.map(|at| at.0),
            breaker: match state.breaker {
                Breaker::Closed => None,
                Breaker::Open { until, trips } => Some((until.0, trips)),
            },
            pause: state.pause.clone(),
            last: state.last.map(|last| LastEntry {
                nominal: last.scheduled_at.0,
                started: last.started.0,
                ended: last.ended.0,
                outcome: last.outcome,
            }),
            failure: state.failure.clone(),
            last_success: state.last_success.map(|at| at.0),
            last_alert: state.last_alert.map(|at| at.0),
            planned_by: state.planned_by,
            skew: state.skew,
        }
    }

    fn into_state(self) -> Result<JobState, String> {
        let decode = |text: Option<String>| match text {
            None => Ok(None),
            Some(text) => match URL_SAFE_NO_PAD.decode(text) {
                Ok(bytes) => Ok(Some(bytes.into_boxed_slice())),
                Err(_) => Err("its cursor is not base64".to_owned()),
            },
        };
        Ok(JobState {
            next: self.next.map(|(at, due)| Slot { scheduled_at: UnixMs(at), due: UnixMs(due) }),
            cursor: decode(self.cursor)?,
            previous_cursor: decode(self.previous_cursor)?,
            attempt: self.attempt,
            errors: self.errors,
            backoff_until: self.backoff_until.map(UnixMs),
            breaker: self
                .breaker
                .map_or(Breaker::Closed, |(until, trips)| Breaker::Open { until: UnixMs(until), trips }),
            pause: self.pause,
            last: self.last.map(|last| LastRun {
                scheduled_at: UnixMs(last.nominal),
                started: UnixMs(last.started),
                ended: UnixMs(last.ended),
                outcome: last.outcome,
            }),
            failure: self.failure,
            last_success: self.last_success.map(UnixMs),
            last_alert: self.last_alert.map(UnixMs),
            planned_by: self.planned_by,
            skew: self.skew,
        })
    }
}
