use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::open::not_writable;
use crate::store::StoreError;

/// The name is looked at again after this; a look is one system call.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Notices that the file's name leads to another file, or nowhere: whatever is written then is lost when the last program that has
/// the file open ends, and nothing else tells.
pub(super) struct Place {
    path: PathBuf,
    file: Option<FileId>,
    looked: Instant,
    moved: bool,
}

type FileId = (u64, u64);

#[cfg(unix)]
fn id_of(path: &Path) -> std::io::Result<Option<FileId>> {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).map(|file| Some((file.dev(), file.ino())))
}

/// A file that is open cannot be deleted here.
#[cfg(not(unix))]
fn id_of(_: &Path) -> std::io::Result<Option<FileId>> {
    Ok(None)
}

impl Place {
    /// The file at `path`, which has just been opened.
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let file = id_of(path).map_err(|error| not_writable(path, error))?;
        Ok(Self { path: path.to_owned(), file, looked: Instant::now(), moved: false })
    }

    /// Whether what is written will be found again.
    pub(super) fn check(&mut self) -> Result<(), StoreError> {
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.looked = Instant::now();
            // Where the look itself fails (no right to the directory any more), the file may well be there.
            self.moved = match id_of(&self.path) {
                Ok(file) => file != self.file,
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
        }
        if self.moved {
            return Err(StoreError::unavailable(format!(
                "the file `{}` was deleted or replaced while it was in use, and whatever is written now would be lost; stop this \
                 program, put the file or a backup back, and start it again",
                self.path.display()
            )));
        }
        Ok(())
    }
}
