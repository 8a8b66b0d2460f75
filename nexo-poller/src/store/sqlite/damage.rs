//! Rows that cannot be read: each is its own job's trouble, and nobody else's.

use rusqlite::Error;

use super::rows::COLUMNS;
use crate::store::row::Row;
use crate::store::{ClaimAnswer, WriteAnswer};

/// What is found under a key.
pub(super) enum Found {
    Row(Box<Row>),
    Missing,
    /// The sentence that says what is wrong with the row.
    Damaged(String),
}

impl Found {
    /// The row, or the answer to a claim that has none to decide on.
    pub(super) fn for_claim(self) -> Result<Row, ClaimAnswer> {
        match self {
            Self::Row(row) => Ok(*row),
            Self::Missing => Err(ClaimAnswer::Missing),
            Self::Damaged(reason) => Err(ClaimAnswer::Refused(reason)),
        }
    }

    /// The same for any other write.
    pub(super) fn for_write(self) -> Result<Row, WriteAnswer> {
        match self {
            Self::Row(row) => Ok(*row),
            Self::Missing => Err(WriteAnswer::Missing),
            Self::Damaged(reason) => Err(WriteAnswer::Refused(reason)),
        }
    }
}

/// What is wrong with the row of `job`, where `error` is about what one of its columns holds; `None` where it is about the file.
pub(super) fn damage(job: &str, error: &Error) -> Option<String> {
    let (Error::FromSqlConversionFailure(index, ..)
    | Error::IntegralValueOutOfRange(index, _)
    | Error::InvalidColumnType(index, ..)
    | Error::Utf8Error(index, _)) = error
    else {
        return None;
    };
    let column = COLUMNS.split(", ").nth(*index).unwrap_or("unknown").trim();
    Some(format!(
        "the row of job `{job}` in the state file cannot be used: its column `{column}` is damaged; restore a backup, or delete the \
         row (`DELETE FROM job WHERE id = '{job}'`) and let the job start over"
    ))
}
