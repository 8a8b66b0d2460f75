use std::collections::HashMap;
use std::sync::{Arc, LazyLock, mpsc};

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::damage::{Found, damage};
use super::open::{SCHEMA_VERSION, unavailable};
use super::options::CACHE;
use super::place::Place;
use super::rows::{COLUMNS, SET_STATE, STATE_PARAMETERS, bind, read};
use crate::store::row::Row;
use crate::store::{
    Answers, Batch, Claim, ClaimAnswer, Clock, Commit, Edit, JobState, NewJob, Release, Renew, StoreError, StoredJob,
    UnixMs, WriteAnswer,
};

/// With more jobs to open than this, the whole table is read once instead of job by job.
const SCAN_FROM: usize = 512;
/// The most requests that one transaction takes.
const MAX_GROUP: usize = 64;
/// With as many rows to write, a transaction is worth its `fdatasync`. What else has come is better off in the next one:
/// whoever waits for this one goes on with his work meanwhile.
const FULL_GROUP: usize = 512;

pub(super) enum Request {
    Open(Vec<NewJob>, Reply<Vec<StoredJob>>),
    Write(Batch, Reply<Answers>),
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// The one thread that writes.
pub(super) struct Writer {
    connection: Connection,
    place: Place,
    clock: Arc<dyn Clock>,
    /// The page cache was filled by a load.
    shrink: bool,
}

/// What a transaction has done, to be answered once it is durable.
enum DoneRequest {
    Open(Vec<StoredJob>, Reply<Vec<StoredJob>>),
    Write(Answers, Reply<Answers>),
}

impl Writer {
    pub(super) fn new(connection: Connection, place: Place, clock: Arc<dyn Clock>) -> Self {
        connection.set_prepared_statement_cache_capacity(32);
        Self { connection, place, clock, shrink: false }
    }

    /// Until the store is dropped: whatever has come goes into one transaction.
    pub(super) fn run(mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut rows = first.rows();
            let mut group = vec![first];
            while rows < FULL_GROUP
                && group.len() < MAX_GROUP
                && let Ok(request) = requests.try_recv()
            {
                rows += request.rows();
                group.push(request);
            }
            self.group(group);
        }
        // Leaves one file behind instead of three. Where it fails, the next one to open it does it.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn group(&mut self, group: Vec<Request>) {
        if let Err(error) = self.place.check() {
            return group.into_iter().for_each(|request| request.refuse(&error));
        }
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            let error = unavailable(&error);
            return group.into_iter().for_each(|request| request.refuse(&error));
        }
        let mut done = Vec::with_capacity(group.len());
        let mut waiting = group.into_iter();
        let mut failed = None;
        for request in waiting.by_ref() {
            match self.request(request) {
                Ok(request) => done.push(request),
                Err(failure) => {
                    let (error, refused) = *failure;
                    failed = Some((unavailable(&error), Some(refused)));
                    break;
                }
            }
        }
        let failed = failed.or_else(|| self.connection.execute_batch("COMMIT").err().map(|e| (unavailable(&e), None)));
        let Some((error, refused)) = failed else {
            if std::mem::take(&mut self.shrink) {
                // Where it fails, the memory stays with the cache, which is bounded.
                let _ = self.connection.execute_batch("PRAGMA shrink_memory");
                let _ = self.connection.pragma_update(None, "cache_size", CACHE);
            }
            return done.into_iter().for_each(DoneRequest::answer);
        };
        // Nothing of the group holds. SQLite may have rolled back by itself; then this fails, and that is fine.
        let _ = self.connection.execute_batch("ROLLBACK");
        done.into_iter().for_each(|request| request.refuse(&error));
        refused.into_iter().chain(waiting).for_each(|request| request.refuse(&error));
    }

    fn request(&mut self, request: Request) -> Result<DoneRequest, Box<(rusqlite::Error, Request)>> {
        match request {
            Request::Open(jobs, reply) => match self.open_jobs(&jobs) {
                Ok(stored) => Ok(DoneRequest::Open(stored, reply)),
                Err(error) => Err(Box::new((error, Request::Open(Vec::new(), reply)))),
            },
            Request::Write(batch, reply) => match self.write(batch) {
                Ok(answers) => Ok(DoneRequest::Write(answers, reply)),
                Err(error) => Err(Box::new((error, Request::Write(Batch::default(), reply)))),
            },
        }
    }

    fn open_jobs(&mut self, jobs: &[NewJob]) -> rusqlite::Result<Vec<StoredJob>> {
        if jobs.len() >= SCAN_FROM {
            // Jobs that wait need no page in memory, and what was allocated once is not given back by every allocator: a load may
            // take 10 bytes a job.
            self.shrink = true;
            let kib = i32::try_from(jobs.len() / 100).unwrap_or(i32::MAX).clamp(1_024, -CACHE);
            self.connection.pragma_update(None, "cache_size", -kib)?;
        }
        let mut known = if jobs.len() >= SCAN_FROM { self.scan()? } else { HashMap::new() };
        let mut find = self.connection.prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE id = ?1"))?;
        let mut insert = self.connection.prepare_cached(INSERT)?;
        let mut open = |job: &NewJob| -> rusqlite::Result<StoredJob> {
            if let Some(stored) = known.remove(&*job.id) {
                return Ok(stored);
            }
            if jobs.len() < SCAN_FROM
                && let Some(row) = find.query_row([&job.id], |row| self.usable(row, &job.id)).optional()?
            {
                return Ok(row);
            }
            let row = Row::of(0, job);
            bind(&mut insert, &job.state)?;
            insert.raw_bind_parameter(STATE_PARAMETERS + 1, &*job.id)?;
            insert.raw_bind_parameter(STATE_PARAMETERS + 2, row.revision.cast_signed())?;
            insert.raw_bind_parameter(STATE_PARAMETERS + 3, row.epoch.cast_signed())?;
            insert.raw_execute()?;
            Ok(Row { key: self.connection.last_insert_rowid(), ..row }.to_stored())
        };
        let mut stored = Vec::with_capacity(jobs.len());
        for job in jobs {
            stored.push(open(job)?);
        }
        Ok(stored)
    }

    fn scan(&self) -> rusqlite::Result<HashMap<Box<str>, StoredJob>> {
        let mut all = self.connection.prepare(&format!("SELECT {COLUMNS}, id FROM job"))?;
        let mut rows = all.query([])?;
        let mut known = HashMap::new();
        while let Some(row) = rows.next()? {
            // No job of ours has an id that is no text.
            if let Ok(id) = row.get::<_, Box<str>>(25) {
                known.insert(id.clone(), self.usable(row, &id)?);
            }
        }
        Ok(known)
    }

    /// The job of `row`; paused where a column of it cannot be read.
    fn usable(&self, row: &rusqlite::Row<'_>, id: &str) -> rusqlite::Result<StoredJob> {
        read(row).map(|row| row.to_stored()).or_else(|error| match damage(id, &error) {
            Some(reason) => Ok(StoredJob::unusable(row.get(0)?, JobState::default(), reason, self.clock.now())),
            None => Err(error),
        })
    }

    fn write(&mut self, batch: Batch) -> rusqlite::Result<Answers> {
        if batch.is_empty() {
            // Without a page to write, a full disk would not be noticed.
            self.connection.execute_batch(&format!("PRAGMA user_version = {SCHEMA_VERSION}"))?;
        }
        let now = self.clock.now();
        let owner = batch.owner;
        let mut statements = Statements::prepare(&self.connection)?;
        Ok(Answers {
            commits: batch.commits.into_iter().map(|commit| statements.commit(commit)).collect::<Result<_, _>>()?,
            edits: batch.edits.into_iter().map(|edit| statements.edit(edit)).collect::<Result<_, _>>()?,
            claims: batch.claims.iter().map(|c| statements.claim(c, &owner, now)).collect::<Result<_, _>>()?,
            renewals: batch.renewals.iter().map(|r| statements.renew(r, &owner, now)).collect::<Result<_, _>>()?,
            releases: batch.releases.iter().map(|r| statements.release(r, &owner)).collect::<Result<_, _>>()?,
        })
    }
}

const INSERT: &str = "INSERT INTO job (next_nominal, next_due, cursor, previous_cursor, attempt, errors, backoff_until, \
     breaker_until, breaker_trips, pause, last_nominal, last_started, last_ended, last_outcome, failure, last_success, \
     last_alert, planned_by, skew, id, revision, epoch) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

const CLAIM: &str = "UPDATE job SET lease_owner = ?1, lease_until = ?2, lease_ttl = ?3, epoch = epoch + 1, \
     revision = revision + 1 WHERE key = ?4 AND revision = ?5 AND lease_owner IS NULL";
const LEASE: &str = "UPDATE job SET lease_owner = ?2, lease_until = ?3, lease_ttl = ?4, epoch = ?5, revision = ?6 \
     WHERE key = ?1";
static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {COLUMNS}, id FROM job WHERE key = ?1"));
static COMMIT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE job SET {SET_STATE}, lease_owner = NULL, revision = revision + 1 \
         WHERE key = ?20 AND epoch = ?21 AND revision = ?22"
    )
});
static EDIT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE job SET {SET_STATE}, epoch = epoch + ?22, revision = revision + 1 WHERE key = ?20 AND revision = ?21"
    )
});

/// Each write is one statement with its whole condition, which is the fence. Only where it changes no row is the row
/// read, to say why, or for what takes more than one look (a lease that has run out).
struct Statements<'c> {
    find: CachedStatement<'c>,
    claim: CachedStatement<'c>,
    commit: CachedStatement<'c>,
    edit: CachedStatement<'c>,
    lease: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            find: connection.prepare_cached(&FIND)?,
            claim: connection.prepare_cached(CLAIM)?,
            commit: connection.prepare_cached(&COMMIT)?,
            edit: connection.prepare_cached(&EDIT)?,
            lease: connection.prepare_cached(LEASE)?,
        })
    }

    fn find(&mut self, key: i64) -> rusqlite::Result<Found> {
        match self.find.query_row([key], |row| Ok((read(row), row.get::<_, String>(25)))).optional()? {
            None => Ok(Found::Missing),
            Some((Ok(row), _)) => Ok(Found::Row(Box::new(row))),
            Some((Err(error), id)) => {
                damage(&id.unwrap_or_default(), &error).map_or(Err(error), |reason| Ok(Found::Damaged(reason)))
            }
        }
    }

    fn claim(&mut self, claim: &Claim, owner: &Arc<str>, now: UnixMs) -> rusqlite::Result<ClaimAnswer> {
        let ttl = i64::try_from(claim.ttl.as_millis()).unwrap_or(i64::MAX);
        let changed = self.claim.execute(params![
            &**owner,
            now.plus(claim.ttl).0,
            ttl,
            claim.key,
            claim.revision.cast_signed()
        ])?;
        if changed == 1 {
            let (epoch, revision) = (claim.epoch + 1, claim.revision + 1);
            return Ok(ClaimAnswer::Granted { epoch, revision, takeover: false });
        }
        let mut row = match self.find(claim.key)?.for_claim() {
            Ok(row) => row,
            Err(answer) => return Ok(answer),
        };
        let answer = row.claim(claim, owner, now);
        self.store_lease(&row)?;
        Ok(answer)
    }

    fn commit(&mut self, commit: Commit) -> rusqlite::Result<WriteAnswer> {
        bind(&mut self.commit, &commit.state)?;
        self.commit.raw_bind_parameter(STATE_PARAMETERS + 1, commit.key)?;
        self.commit.raw_bind_parameter(STATE_PARAMETERS + 2, commit.epoch.cast_signed())?;
        self.commit.raw_bind_parameter(STATE_PARAMETERS + 3, commit.revision.cast_signed())?;
        if self.commit.raw_execute()? == 1 {
            return Ok(WriteAnswer::Done { revision: commit.revision + 1, epoch: commit.epoch });
        }
        Ok(self.find(commit.key)?.for_write().map_or_else(|answer| answer, |mut row| row.commit(commit)))
    }

    fn edit(&mut self, edit: Edit) -> rusqlite::Result<WriteAnswer> {
        bind(&mut self.edit, &edit.state)?;
        self.edit.raw_bind_parameter(STATE_PARAMETERS + 1, edit.key)?;
        self.edit.raw_bind_parameter(STATE_PARAMETERS + 2, edit.revision.cast_signed())?;
        self.edit.raw_bind_parameter(STATE_PARAMETERS + 3, i64::from(edit.fence))?;
        let changed = self.edit.raw_execute()? == 1;
        let mut row = match self.find(edit.key)?.for_write() {
            Ok(row) => row,
            Err(answer) => return Ok(answer),
        };
        if changed {
            return Ok(WriteAnswer::Done { revision: row.revision, epoch: row.epoch });
        }
        Ok(row.edit(edit))
    }

    fn renew(&mut self, renew: &Renew, owner: &Arc<str>, now: UnixMs) -> rusqlite::Result<WriteAnswer> {
        let mut row = match self.find(renew.key)?.for_write() {
            Ok(row) => row,
            Err(answer) => return Ok(answer),
        };
        let answer = row.renew(renew, owner, now);
        self.store_lease(&row)?;
        Ok(answer)
    }

    fn release(&mut self, release: &Release, owner: &Arc<str>) -> rusqlite::Result<WriteAnswer> {
        let mut row = match self.find(release.key)?.for_write() {
            Ok(row) => row,
            Err(answer) => return Ok(answer),
        };
        let answer = row.release(release, owner);
        self.store_lease(&row)?;
        Ok(answer)
    }

    /// Writes back what a decision on the row in memory changed. Nobody else can have written it since: the transaction
    /// holds the file.
    fn store_lease(&mut self, row: &Row) -> rusqlite::Result<()> {
        let owner = row.lease.as_ref().map(|lease| &*lease.owner);
        let until = row.lease.as_ref().map_or(0, |lease| lease.until.0);
        let ttl = row.lease.as_ref().map_or(0, |lease| i64::try_from(lease.ttl.as_millis()).unwrap_or(i64::MAX));
        self.lease.execute(params![row.key, owner, until, ttl, row.epoch.cast_signed(), row.revision.cast_signed()])?;
        Ok(())
    }
}

impl Request {
    /// How many rows it is about.
    fn rows(&self) -> usize {
        match self {
            Self::Open(jobs, _) => jobs.len(),
            Self::Write(batch, _) => batch.len(),
        }
    }

    fn refuse(self, error: &StoreError) {
        // Whoever asked may have gone.
        match self {
            Self::Open(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
            Self::Write(_, reply) => {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

impl DoneRequest {
    fn answer(self) {
        match self {
            Self::Open(stored, reply) => {
                let _ = reply.send(Ok(stored));
            }
            Self::Write(answers, reply) => {
                let _ = reply.send(Ok(answers));
            }
        }
    }

    fn refuse(self, error: &StoreError) {
        match self {
            Self::Open(_, reply) => Request::Open(Vec::new(), reply).refuse(error),
            Self::Write(_, reply) => Request::Write(Batch::default(), reply).refuse(error),
        }
    }
}
