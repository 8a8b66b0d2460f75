use nexo_poller::contract::TickAck;

use super::mismatch::{Mismatch, outcome};
use crate::{JobTest, Published};

/// Ticks that a poller may take to announce everything.
const MOST_TICKS: usize = 100;

/// A job in a world, past its first tick: what has happened since is news to it.
pub(super) struct Scene<W> {
    pub(super) world: W,
    /// The cursor that the first tick, which found nothing, has left.
    pub(super) before: Option<Vec<u8>>,
}

pub(super) fn resume(job: JobTest, cursor: Option<&[u8]>) -> JobTest {
    match cursor {
        Some(cursor) => job.resume_from_bytes(cursor),
        None => job,
    }
}

/// One tick that must succeed.
pub(super) async fn succeeds(job: &mut JobTest, what: &str) -> Result<TickAck, Mismatch> {
    let ticked = job.try_tick().await;
    ticked.map_err(|error| Mismatch::new(format!("{what} that succeeds"), outcome(&Err(error))))
}

/// Ticks until nothing more is published; what was.
pub(super) async fn drain(job: &mut JobTest) -> Result<Vec<Published>, Mismatch> {
    for _ in 0..MOST_TICKS {
        let before = job.host().published().len();
        succeeds(job, "a tick").await?;
        if job.host().published().len() == before {
            return Ok(job.host().published());
        }
    }
    Err(Mismatch::new("a tick that finds nothing more to publish", format!("none of {MOST_TICKS} in a row is one")))
}

/// What was published, and that it was something.
pub(super) fn news(job: &JobTest) -> Result<Vec<Published>, Mismatch> {
    let published = job.host().published();
    if published.is_empty() {
        return Err(Mismatch::new("a message at the first tick after `World::fill`", "none"));
    }
    Ok(published)
}
