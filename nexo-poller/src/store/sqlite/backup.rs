use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::open::{check_header, check_identity, not_writable, unavailable};
use super::{Problem, SqliteStore};
use crate::store::StoreError;

/// A copy waits this long for a program that holds the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`SqliteStore::back_up`] has copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The jobs whose state it holds.
    pub jobs: u64,
    /// The size of the copy.
    pub bytes: u64,
}

impl SqliteStore {
    /// Copies the job state at `from` to a new file at `to`, as it is at one moment between two commits; daemons that have it
    /// open go on meanwhile. The copy is its owner's only (0600), checked, and on the disk when this returns; where something
    /// fails, nothing is left at `to`. With `replace`, a file that is there is replaced by the whole copy.
    ///
    /// To restore, put the copy in the place of the file while nobody has it open, without the `-wal` and `-shm` of the old one.
    ///
    /// # Errors
    /// [`StoreError::NotReadable`] and [`StoreError::Corrupt`] of `from`, [`StoreError::NotWritable`] of `to`: also where a file
    /// is there that may not be replaced.
    ///
    /// ```
    /// use nexo_poller::store::{SqliteOptions, SqliteStore};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dir = tempfile::tempdir()?;
    /// let (state, copy) = (dir.path().join("poller.db"), dir.path().join("copy.db"));
    /// let store = SqliteStore::open(&state, SqliteOptions::default())?;
    /// assert_eq!(SqliteStore::back_up(&state, &copy, false)?.jobs, 0);
    /// # drop(store);
    /// # Ok(())
    /// # }
    /// ```
    pub fn back_up(from: impl AsRef<Path>, to: impl AsRef<Path>, replace: bool) -> Result<Backup, StoreError> {
        let (from, to) = (from.as_ref(), to.as_ref());
        if let Err(error) = File::open(from) {
            return Err(StoreError::NotReadable { path: from.to_owned(), reason: error.to_string() });
        }
        check_header(from)?;
        // Replacing the state by its own copy would leave its write-ahead log beside another file.
        if to.canonicalize().is_ok_and(|to| from.canonicalize().is_ok_and(|from| from == to)) {
            return Err(not_writable(to, "it is the job state itself"));
        }
        if !replace && to.symlink_metadata().is_ok() {
            return Err(occupied(to));
        }
        let draft = Draft::beside(to)?;
        let backup = copy(from, &draft.0)?;
        let placed = if replace {
            std::fs::rename(&draft.0, to)
        } else {
            // Unlike a rename, it never takes the place of a file that has come meanwhile.
            std::fs::hard_link(&draft.0, to)
        };
        placed.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => occupied(to),
            _ => not_writable(to, error),
        })?;
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| not_writable(to, error))?;
        Ok(backup)
    }
}

/// The copy until it is whole; whatever is left of it goes with this.
struct Draft(PathBuf);

impl Draft {
    fn beside(to: &Path) -> Result<Self, StoreError> {
        let no_draft = |_| not_writable(to, "nothing can be created in its directory");
        // A name that nobody can guess, for a file that is not there: no link of somebody else leads the copy elsewhere.
        let name = getrandom::u64().map_err(|error| not_writable(to, error))?;
        let mut path = to.as_os_str().to_owned();
        path.push(format!(".{name:016x}.tmp"));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(no_draft)?;
        Ok(Self(path.into()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename it is gone already.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn copy(from: &Path, draft: &Path) -> Result<Backup, StoreError> {
    let failed = |error: &rusqlite::Error| not_writable(draft, unavailable_reason(error));
    let source = open_for_reading(from).map_err(|error| not_readable(from, &error))?;
    check_identity(&source, from).map_err(|problem| match problem {
        Problem::Sqlite(error) => not_readable(from, &error),
        Problem::Store(error) => error,
    })?;
    let name = draft.to_str().ok_or_else(|| not_writable(draft, "its name is not UTF-8"))?;
    source.execute("VACUUM INTO ?1", [name]).map_err(|error| failed(&error))?;
    drop(source);
    let made = open_for_reading(draft).map_err(|error| failed(&error))?;
    let check: String =
        made.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| failed(&error))?;
    if check != "ok" {
        return Err(not_writable(draft, "the copy fails SQLite's check"));
    }
    let jobs: i64 = made.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).map_err(|error| failed(&error))?;
    // SQLite leaves that to whoever has it write into another file.
    let file = File::open(draft).and_then(|file| file.sync_all().and(file.metadata()));
    let bytes = file.map_err(|error| not_writable(draft, error))?.len();
    Ok(Backup { jobs: u64::try_from(jobs).unwrap_or_default(), bytes })
}

fn open_for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn occupied(path: &Path) -> StoreError {
    not_writable(path, "a file is there already")
}

fn not_readable(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::NotReadable { path: path.to_owned(), reason: unavailable_reason(error) }
}

fn unavailable_reason(error: &rusqlite::Error) -> String {
    match unavailable(error) {
        StoreError::Unavailable { reason } => reason,
        other => other.to_string(),
    }
}
