use std::io::Read as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::options::{CACHE, SqliteOptions, Synchronous};
use crate::store::StoreError;

/// Marks a file as ours, so that nothing is written into somebody else's database.
const APPLICATION_ID: i64 = 0x6e70_6f6c;
/// The newest schema that this program knows.
pub(super) const SCHEMA_VERSION: i64 = 1;
/// Older ones can lose commits in WAL mode.
const OLDEST_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// Files up to this many bytes are checked whenever they are opened.
const ALWAYS_CHECKED: u64 = 64 << 20;

const SCHEMA: &str = "
    CREATE TABLE job (
        key             INTEGER PRIMARY KEY,
        id              TEXT    NOT NULL UNIQUE,
        revision        INTEGER NOT NULL,
        epoch           INTEGER NOT NULL,
        lease_owner     TEXT,
        lease_until     INTEGER NOT NULL DEFAULT 0,
        lease_ttl       INTEGER NOT NULL DEFAULT 0,
        next_nominal    INTEGER,
        next_due        INTEGER,
        cursor          BLOB,
        previous_cursor BLOB,
        attempt         INTEGER NOT NULL,
        errors          INTEGER NOT NULL,
        backoff_until   INTEGER,
        breaker_until   INTEGER,
        breaker_trips   INTEGER,
        pause           TEXT,
        last_nominal    INTEGER,
        last_started    INTEGER,
        last_ended      INTEGER,
        last_outcome    INTEGER,
        failure         TEXT,
        last_success    INTEGER,
        last_alert      INTEGER,
        planned_by      INTEGER NOT NULL,
        skew            INTEGER NOT NULL
    ) STRICT;
";

pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<Connection, StoreError> {
    check_version(rusqlite::version_number(), rusqlite::version())?;
    if !path.exists() {
        create(path)?;
    }
    check_header(path)?;
    let mut connection = connect(path)?;
    prepare(&mut connection, path, options).map_err(|problem| problem.of(path))?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| explain(path, &error))
}

/// Makes a file with the schema in it, and gives it its name once it is whole: a file that is empty is none of ours, but what is
/// left of one that somebody has truncated.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(draft);
    // Of a process of that number that was killed.
    let _ = std::fs::remove_file(&draft);
    create_private(&draft).map_err(|error| match error {
        StoreError::NotWritable { reason, .. } => not_writable(path, reason),
        other => other,
    })?;
    let made = connect(&draft).and_then(|mut connection| {
        let made = connection
            .transaction()
            .map_err(Problem::from)
            .and_then(|transaction| {
                make_schema(&transaction)?;
                Ok(transaction.commit()?)
            })
            .map_err(|problem| problem.of(path));
        drop(connection);
        made
    });
    // A link never takes the place of a file that another daemon has made meanwhile; where there are none, it is a rename.
    let placed = made.and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => std::fs::rename(&draft, path).map_err(|error| not_writable(path, error)),
        Ok(()) => Ok(()),
    });
    let _ = std::fs::remove_file(&draft);
    placed
}

fn make_schema(connection: &Connection) -> Result<(), Problem> {
    connection.execute_batch(SCHEMA)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(())
}

fn check_version(number: i32, name: &str) -> Result<(), StoreError> {
    if number < OLDEST_SQLITE.0 {
        return Err(StoreError::OldSqlite { found: name.to_owned(), needed: OLDEST_SQLITE.1 });
    }
    Ok(())
}

pub(super) enum Problem {
    Sqlite(rusqlite::Error),
    Store(StoreError),
}

impl Problem {
    fn of(self, path: &Path) -> StoreError {
        match self {
            Self::Sqlite(error) => explain(path, &error),
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// SQLite would create the file with the process' umask; the WAL beside it gets the file's own mode.
pub(super) fn create_private(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(not_writable(path, error)),
    }
}

/// Whatever else is in the file is found here, before SQLite may touch it.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0; 100];
    let mut file = std::fs::File::open(path).map_err(|error| not_writable(path, error))?;
    let mut length = 0;
    while length < header.len() {
        match file.read(&mut header[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) => return Err(not_writable(path, error)),
        }
    }
    if length == 0 {
        let reason = "it is empty, so somebody has truncated it or made it by hand; delete it only where jobs may start from nothing";
        return Err(corrupt(path, reason));
    }
    if length == header.len() && header.starts_with(b"SQLite format 3\0") {
        return Ok(());
    }
    Err(corrupt(path, "it is not an SQLite database"))
}

fn prepare(connection: &mut Connection, path: &Path, options: &SqliteOptions) -> Result<(), Problem> {
    connection.busy_timeout(options.busy_timeout)?;
    if connection.is_readonly("main")? {
        return Err(Problem::Store(not_writable(path, "the file or its directory is read-only")));
    }
    if needs_check(path) {
        let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(Problem::Store(corrupt(path, "SQLite's own check failed")));
        }
    }
    check_identity(connection, path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(
        None,
        "synchronous",
        match options.synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        },
    )?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    // Measured together with the cache: it lets one page take more changes before it is copied into the database.
    connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Again, now that nobody else can create the schema at the same time.
    if check_identity(&transaction, path)? == 0 {
        make_schema(&transaction)?;
    }
    transaction.commit()?;
    Ok(())
}

/// A file that is checked in well under a second always is. A bigger one is read as a whole only where its last user did not
/// close it (that leaves a write-ahead log behind): SQLite itself reports a damaged page whenever it meets one.
fn needs_check(path: &Path) -> bool {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    is_suspect(length(path), length(Path::new(&log)))
}

fn is_suspect(file: u64, log: u64) -> bool {
    file <= ALWAYS_CHECKED || log > 0
}

/// The schema's version; 0 for a new file.
pub(super) fn check_identity(connection: &Connection, path: &Path) -> Result<i64, Problem> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(Problem::Store(corrupt(path, "it is the database of another program")));
    }
    if version > SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(Problem::Store(StoreError::NewerSchema { path, found: version, known: SCHEMA_VERSION }));
    }
    Ok(if tables == 0 { 0 } else { version })
}

fn corrupt(path: &Path, reason: &str) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), reason: reason.to_owned() }
}

pub(super) fn not_writable(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::NotWritable { path: path.to_owned(), reason: format!("{reason}") }
}

/// What an operator can do about an error while the file is opened.
fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => corrupt(path, &error.to_string()),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => not_writable(path, error),
        _ => unavailable(error),
    }
}

/// What an operator can do about an error while the store runs.
pub(super) fn unavailable(error: &rusqlite::Error) -> StoreError {
    StoreError::unavailable(match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "the file is locked by another process; end that process, or wait for it".to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full; free some space".to_owned(),
        Some(ErrorCode::ReadOnly) => "the file or its disk has become read-only".to_owned(),
        Some(ErrorCode::SystemIoFailure) => {
            format!("{error}: the disk may be full, over its quota or failing")
        }
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sqlite_that_can_lose_commits_is_refused_by_name() {
        let error = check_version(3_051_002, "3.51.2").unwrap_err().to_string();
        assert!(error.contains("3.51.2") && error.contains("3.51.3"), "{error}");
        check_version(3_051_003, "3.51.3").unwrap();
        check_version(3_052_000, "3.52.0").unwrap();
    }

    #[test]
    fn only_a_big_file_that_was_closed_properly_is_not_read_as_a_whole() {
        assert!(is_suspect(4096, 0));
        assert!(is_suspect(ALWAYS_CHECKED, 0));
        assert!(!is_suspect(ALWAYS_CHECKED + 1, 0));
        assert!(is_suspect(ALWAYS_CHECKED + 1, 32));
    }
}
