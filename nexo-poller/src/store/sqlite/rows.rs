//! Between rows and job states.

use rusqlite::{Row as SqlRow, Statement, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

use crate::store::row::{Lease, Row};
use crate::store::{Breaker, JobState, LastRun, RunOutcome, Slot, UnixMs};

/// What is read of a row, in the order that [`read`] expects.
pub(super) const COLUMNS: &str = "key, revision, epoch, lease_owner, lease_until, lease_ttl, next_nominal, next_due, \
     cursor, previous_cursor, attempt, errors, backoff_until, breaker_until, breaker_trips, pause, last_nominal, \
     last_started, last_ended, last_outcome, failure, last_success, last_alert, planned_by, skew";

/// How many parameters a state takes; they are the first ones of a statement.
pub(super) const STATE_PARAMETERS: usize = 19;

/// A state's columns, each with its parameter.
pub(super) const SET_STATE: &str = "next_nominal = ?1, next_due = ?2, cursor = ?3, previous_cursor = ?4, attempt = ?5, \
     errors = ?6, backoff_until = ?7, breaker_until = ?8, breaker_trips = ?9, pause = ?10, last_nominal = ?11, \
     last_started = ?12, last_ended = ?13, last_outcome = ?14, failure = ?15, last_success = ?16, last_alert = ?17, \
     planned_by = ?18, skew = ?19";

pub(super) fn bind(statement: &mut Statement<'_>, state: &JobState) -> rusqlite::Result<()> {
    let mut index = 0;
    let mut bind = |value: &dyn ToSql| {
        index += 1;
        statement.raw_bind_parameter(index, value)
    };
    let ms = |at: Option<UnixMs>| at.map(|at| at.0);
    bind(&state.next.map(|next| next.scheduled_at.0))?;
    bind(&state.next.map(|next| next.due.0))?;
    bind(&state.cursor.as_deref())?;
    bind(&state.previous_cursor.as_deref())?;
    bind(&state.attempt)?;
    bind(&state.errors)?;
    bind(&ms(state.backoff_until))?;
    let (until, trips) = match state.breaker {
        Breaker::Closed => (None, None),
        Breaker::Open { until, trips } => (Some(until.0), Some(trips)),
    };
    bind(&until)?;
    bind(&trips)?;
    bind(&text(state.pause.as_deref()))?;
    bind(&state.last.map(|last| last.scheduled_at.0))?;
    bind(&state.last.map(|last| last.started.0))?;
    bind(&state.last.map(|last| last.ended.0))?;
    bind(&state.last.map(|last| outcome_number(last.outcome)))?;
    bind(&text(state.failure.as_deref()))?;
    bind(&ms(state.last_success))?;
    bind(&ms(state.last_alert))?;
    bind(&state.planned_by)?;
    bind(&state.skew)
}

pub(super) fn read(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    let ms = |index: usize| row.get::<_, Option<i64>>(index).map(|at| at.map(UnixMs));
    let next = match (ms(6)?, ms(7)?) {
        (Some(scheduled_at), Some(due)) => Some(Slot { scheduled_at, due }),
        _ => None,
    };
    let breaker = match (ms(13)?, row.get::<_, Option<u32>>(14)?) {
        (Some(until), trips) => Breaker::Open { until, trips: trips.unwrap_or(0) },
        _ => Breaker::Closed,
    };
    let last = match (ms(16)?, ms(17)?, ms(18)?, row.get::<_, Option<i64>>(19)?) {
        (Some(scheduled_at), Some(started), Some(ended), Some(outcome)) => {
            Some(LastRun { scheduled_at, started, ended, outcome: outcome_of(outcome) })
        }
        _ => None,
    };
    let lease = row.get::<_, Option<String>>(3)?.map(|owner| -> rusqlite::Result<Lease> {
        let ttl = u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0);
        Ok(Lease { owner: Arc::from(owner), until: UnixMs(row.get(4)?), ttl: Duration::from_millis(ttl) })
    });
    Ok(Row {
        key: row.get(0)?,
        revision: row.get::<_, i64>(1)?.cast_unsigned(),
        epoch: row.get::<_, i64>(2)?.cast_unsigned(),
        lease: lease.transpose()?,
        state: JobState {
            next,
            cursor: row.get::<_, Option<Vec<u8>>>(8)?.map(Vec::into_boxed_slice),
            previous_cursor: row.get::<_, Option<Vec<u8>>>(9)?.map(Vec::into_boxed_slice),
            attempt: row.get(10)?,
            errors: row.get(11)?,
            backoff_until: ms(12)?,
            breaker,
            pause: value(row, 15)?,
            last,
            failure: value(row, 20)?,
            last_success: ms(21)?,
            last_alert: ms(22)?,
            planned_by: row.get(23)?,
            skew: row.get(24)?,
        },
    })
}

fn text<T: Serialize>(value: Option<&T>) -> Option<String> {
    // These are strings and numbers, which always can be written.
    value.and_then(|value| serde_json::to_string(value).ok())
}

fn value<T: DeserializeOwned>(row: &SqlRow<'_>, index: usize) -> rusqlite::Result<Option<Box<T>>> {
    let read = |text: String| {
        serde_json::from_str(&text).map(Box::new).map_err(|_| {
            rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, "it is not JSON".into())
        })
    };
    row.get::<_, Option<String>>(index)?.map(read).transpose()
}

fn outcome_number(outcome: RunOutcome) -> i64 {
    match outcome {
        RunOutcome::Ok => 0,
        RunOutcome::Transient => 1,
        RunOutcome::Permanent => 2,
        RunOutcome::Config => 3,
    }
}

fn outcome_of(number: i64) -> RunOutcome {
    match number {
        0 => RunOutcome::Ok,
        2 => RunOutcome::Permanent,
        3 => RunOutcome::Config,
        _ => RunOutcome::Transient,
    }
}
