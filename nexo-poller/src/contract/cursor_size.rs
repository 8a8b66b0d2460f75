use super::PollerError;

/// The longest cursor, in bytes: 256 KiB, on every road.
///
/// A NATS server takes messages of 1 MiB, and so does the stdio bridge. An answer carries the next cursor twice in base64, and job
/// state in a bucket holds the present cursor and the one before: twice 256 KiB in base64 is 683 KiB, so a cursor that one road takes
/// is taken by all of them.
pub const MAX_CURSOR: usize = 256 * 1024;

/// A cursor over [`MAX_CURSOR`]. The job is paused, and its cursor stays as it was: the same tick would give the same cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the next cursor of job `{job}` has {size} bytes, over the limit of {MAX_CURSOR} (256 KiB): keep a bounded window in the cursor (a \
     time, a page token, hashes of the last ids), not everything that was ever seen"
)]
#[non_exhaustive]
pub struct CursorTooLarge {
    /// The job.
    pub job: String,
    /// The cursor's length in bytes.
    pub size: usize,
}

/// Whether `job` may have `cursor`: the one place that says so, for ticks on every road and for an operator who sets one.
///
/// # Errors
/// [`CursorTooLarge`], without the cursor.
pub(crate) fn check_cursor(job: &str, cursor: Option<&[u8]>) -> Result<(), CursorTooLarge> {
    match cursor.map_or(0, <[u8]>::len) {
        size if size > MAX_CURSOR => Err(CursorTooLarge { job: job.to_owned(), size }),
        _ => Ok(()),
    }
}

impl From<CursorTooLarge> for PollerError {
    fn from(error: CursorTooLarge) -> Self {
        Self::permanent(error.to_string())
    }
}
