use std::path::PathBuf;

/// Why a store cannot be opened or did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It may work later: a full disk, a locked file, a server that is away. The runner waits and tries again.
    #[error("the job state cannot be written: {reason}")]
    Unavailable {
        /// What is in the way, and what to do.
        reason: String,
    },
    /// One job's state will not be written or read however often it is tried: it is too large, or what is stored is no job
    /// state. Other jobs are not concerned.
    #[error("{reason}")]
    Refused {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The file does not hold job state, or is damaged.
    #[error(
        "`{}` is not usable as job state: {reason}; it was left untouched: move it away or restore a backup",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error(
        "`{}` has schema version {found}, this program knows up to {known}: run the newer version, or another file",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The file or its directory cannot be written.
    #[error("`{}` cannot be opened for writing: {reason}", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("`{}` cannot be read: {reason}", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The linked SQLite has known faults in WAL mode.
    #[error("SQLite {found} is linked, {needed} or newer is needed: older ones can lose commits in WAL mode")]
    OldSqlite {
        /// The linked version.
        found: String,
        /// The oldest that is accepted.
        needed: &'static str,
    },
    /// The store was closed.
    #[error("the job state is closed")]
    Closed,
}

impl StoreError {
    /// [`StoreError::Unavailable`].
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
}
