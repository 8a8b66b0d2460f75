use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::bucket::{Bucket, Found, Written};
use super::entry::Entry;
use crate::store::row::Row;
use crate::store::{Claim, ClaimAnswer, Clock, NewJob, StoreError, StoredJob, UnixMs, WriteAnswer};

/// A write is decided again this often while others write the same job; then it is left for later.
const TRIES: usize = 16;

/// Writes without an answer that are remembered.
const MOST_UNSURE: usize = 4;

/// One job in the eyes of this process: what it has seen last, and since when.
pub(super) struct JobView {
    key: i64,
    id: Arc<str>,
    subject: String,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    sequence: u64,
    row: Option<Row>,
    /// Writes whose answer was lost, the newest last: they may still arrive.
    unsure: Vec<Unsure>,
    /// The last write, where it was a claim: its answer, or that of others in its batch, may have been lost.
    arrived: Option<(Arc<str>, u64)>,
}

struct Unsure {
    write: String,
    /// Of a claim: in whose name, and from which revision.
    claim: Option<(Arc<str>, u64)>,
}

/// Numbers this process's writes.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// Tells this process's writes from others'.
fn write_name() -> String {
    static PROCESS: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| uuid::Uuid::new_v4().simple().to_string());
    format!("{}-{}", &*PROCESS, WRITES.fetch_add(1, Ordering::Relaxed))
}

pub(super) fn missing() -> WriteAnswer {
    WriteAnswer::Missing
}

impl JobView {
    pub(super) fn new(key: i64, bucket: &Bucket, id: &Arc<str>) -> Self {
        Self { key, id: Arc::clone(id), subject: bucket.subject(id), seen: Mutex::default() }
    }

    /// The job as it is stored; made from `new` where it is not there.
    pub(super) async fn open(&self, bucket: &Bucket, clock: &dyn Clock, new: &NewJob) -> Result<StoredJob, StoreError> {
        let mut seen = self.seen.lock().await;
        for _ in 0..TRIES {
            self.look(&mut seen, bucket, clock).await?;
            if let Some(row) = &seen.row {
                return Ok(row.to_stored());
            }
            let row = Row::of(self.key, new);
            self.put(&mut seen, bucket, row, None).await?;
        }
        Err(self.contended())
    }

    /// Decides on the row, and stores what was decided.
    pub(super) async fn write(
        &self,
        bucket: &Bucket,
        clock: &dyn Clock,
        decide: impl Fn(&mut Row, UnixMs) -> WriteAnswer,
    ) -> Result<WriteAnswer, StoreError> {
        let decided = |answer: &WriteAnswer| matches!(answer, WriteAnswer::Done { .. });
        let answer = self.decide(bucket, clock, None, &decide, decided).await?;
        Ok(answer.unwrap_or(WriteAnswer::Missing))
    }

    /// Takes the lease, where it is free or has been seen unchanged for its whole length.
    pub(super) async fn claim(
        &self,
        bucket: &Bucket,
        clock: &dyn Clock,
        claim: &Claim,
        owner: &Arc<str>,
    ) -> Result<ClaimAnswer, StoreError> {
        let decide = |row: &mut Row, now: UnixMs| row.claim(claim, owner, now);
        let decided = |answer: &ClaimAnswer| matches!(answer, ClaimAnswer::Granted { .. });
        let asked = Some((Arc::clone(owner), claim.revision));
        let answer = self.decide(bucket, clock, asked, &decide, decided).await?;
        Ok(answer.unwrap_or(ClaimAnswer::Missing))
    }

    /// Looks at the entry again, so that a lease which was renewed is not thought to have run out. Whether it is still
    /// somebody's.
    pub(super) async fn look_again(&self, bucket: &Bucket, clock: &dyn Clock) -> Result<bool, StoreError> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen, bucket, clock).await?;
        Ok(seen.row.as_ref().is_some_and(|row| row.lease.is_some()))
    }

    /// `None` where the entry is gone.
    async fn decide<A: FromClaim>(
        &self,
        bucket: &Bucket,
        clock: &dyn Clock,
        claim: Option<(Arc<str>, u64)>,
        decide: &impl Fn(&mut Row, UnixMs) -> A,
        decided: impl Fn(&A) -> bool,
    ) -> Result<Option<A>, StoreError> {
        let mut seen = self.seen.lock().await;
        let mut fresh = false;
        for _ in 0..TRIES {
            if !seen.unsure.is_empty() || seen.row.is_none() {
                self.look(&mut seen, bucket, clock).await?;
                fresh = true;
            }
            let arrived = seen.arrived.take();
            let Some(mut row) = seen.row.clone() else { return Ok(None) };
            // Others count such a lease from when it was written, long ago perhaps: it is renewed before it is used.
            let (answer, decided) = match A::of_arrived(&mut row, claim.as_ref(), arrived.as_ref(), clock.now()) {
                Some(granted) => (granted, true),
                None => {
                    let answer = decide(&mut row, clock.now());
                    let decided = decided(&answer);
                    (answer, decided)
                }
            };
            if decided {
                if self.put(&mut seen, bucket, row, claim.clone()).await? {
                    // Where the rest of the batch fails, the same claim comes again.
                    seen.arrived = claim;
                    return Ok(Some(answer));
                }
            } else if fresh {
                // A lease whose end was brought forward stays so.
                seen.row = Some(row);
                return Ok(Some(answer));
            }
            // A no is said of what is there now, not of what was seen last.
            self.look(&mut seen, bucket, clock).await?;
            fresh = true;
        }
        Err(self.contended())
    }

    /// Reads the entry. One that is the same as before keeps the time at which it was seen first.
    async fn look(
        &self,
        seen: &mut MutexGuard<'_, Seen>,
        bucket: &Bucket,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        let found = bucket.get(&self.subject).await?;
        let Some(Found { sequence, value }) = found else {
            **seen = Seen::default();
            return Ok(());
        };
        if sequence == seen.sequence {
            return Ok(());
        }
        seen.sequence = sequence;
        if value.is_empty() {
            // Deleted by somebody: it can be made again.
            seen.row = None;
            return Ok(());
        }
        let read = Entry::read(&value).and_then(|entry| {
            let write = entry.write.clone();
            Ok((write, entry.into_row(self.key, clock.now())?))
        });
        let (write, row) = read.map_err(|why| {
            let (id, bucket) = (&self.id, bucket.name());
            // It is looked at each time, for somebody may fix it.
            seen.sequence = 0;
            seen.row = None;
            StoreError::Refused {
                reason: format!(
                    "the entry of job `{id}` in the JetStream bucket `{bucket}` cannot be used: {why}; fix it or delete it"
                ),
            }
        })?;
        let unsure = std::mem::take(&mut seen.unsure);
        seen.arrived = unsure.into_iter().find(|unsure| unsure.write == write).and_then(|unsure| unsure.claim);
        seen.row = Some(row);
        Ok(())
    }

    /// Writes `row` where the entry is still the one that was seen. Whether it was.
    async fn put(
        &self,
        seen: &mut MutexGuard<'_, Seen>,
        bucket: &Bucket,
        row: Row,
        claim: Option<(Arc<str>, u64)>,
    ) -> Result<bool, StoreError> {
        let write = write_name();
        let bytes = Entry::bytes(&self.id, write.clone(), &row);
        // Until the answer is there; where this future is dropped, that remains.
        if seen.unsure.len() == MOST_UNSURE {
            seen.unsure.remove(0);
        }
        seen.unsure.push(Unsure { write, claim });
        match bucket.put(&self.subject, seen.sequence, bytes).await? {
            Written::At(sequence) => {
                // Whatever of ours is still on its way has the wrong sequence now.
                seen.unsure.clear();
                seen.sequence = sequence;
                seen.row = Some(row);
                Ok(true)
            }
            Written::Conflict => {
                seen.unsure.pop();
                Ok(false)
            }
        }
    }

    fn contended(&self) -> StoreError {
        StoreError::unavailable(format!("job `{}` is being written by others without a pause", self.id))
    }
}

/// An answer that may stand for a claim which arrived before.
trait FromClaim: Sized {
    /// The answer, where the claim that is asked for is the one that arrived; `row` then holds the lease from `now` on.
    fn of_arrived(
        row: &mut Row,
        asked: Option<&(Arc<str>, u64)>,
        arrived: Option<&(Arc<str>, u64)>,
        now: UnixMs,
    ) -> Option<Self>;
}

impl FromClaim for WriteAnswer {
    fn of_arrived(_: &mut Row, _: Option<&(Arc<str>, u64)>, _: Option<&(Arc<str>, u64)>, _: UnixMs) -> Option<Self> {
        None
    }
}

impl FromClaim for ClaimAnswer {
    fn of_arrived(
        row: &mut Row,
        asked: Option<&(Arc<str>, u64)>,
        arrived: Option<&(Arc<str>, u64)>,
        now: UnixMs,
    ) -> Option<Self> {
        let (owner, _) = asked.filter(|asked| Some(*asked) == arrived)?;
        let lease = row.lease.as_mut().filter(|lease| lease.owner == *owner)?;
        lease.until = now.plus(lease.ttl);
        Some(Self::Granted { epoch: row.epoch, revision: row.revision, takeover: false })
    }
}
