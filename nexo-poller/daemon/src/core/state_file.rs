use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::{NotRead, off_runtime};

/// The file with the job state, as it was when the daemon opened it. A daemon that writes nothing just now would not notice that it
/// is gone, and would start from nothing the next time.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    file: FileId,
}

/// The device, and the file's number on it.
type FileId = (u64, u64);

impl StateFile {
    /// The file at `path`; none where it cannot be looked at.
    pub(crate) async fn of(path: PathBuf) -> Option<Self> {
        let file = look(&path).await.ok()?.ok()?;
        Some(Self { path, file })
    }

    /// What is wrong with it, as a sentence.
    pub(crate) async fn problem(&self) -> Option<String> {
        let what = match look(&self.path).await {
            Ok(Ok(file)) if file == self.file => return None,
            Ok(Ok(_)) => "replaced",
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => "deleted",
            // It may well be there.
            Ok(Err(_)) => return None,
            Err(error) => return Some(error.to_string()),
        };
        Some(format!(
            "the state file {} was {what} while the daemon runs, and what it writes is lost at its end: stop it, put the file or a \
             backup back, and start it again",
            self.path.display()
        ))
    }
}

async fn look(path: &Path) -> Result<io::Result<FileId>, NotRead> {
    let path = path.to_owned();
    off_runtime("the state file", move || std::fs::metadata(path).map(|file| (file.dev(), file.ino()))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_is_deleted_or_replaced_is_noticed_and_one_that_is_put_back_is_well() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aside) = (dir.path().join("poller.db"), dir.path().join("aside.db"));
        std::fs::write(&path, "state").unwrap();
        let file = StateFile::of(path.clone()).await.unwrap();
        assert_eq!(file.problem().await, None);
        std::fs::rename(&path, &aside).unwrap();
        assert!(file.problem().await.unwrap().contains("was deleted"));
        std::fs::write(&path, "other").unwrap();
        assert!(file.problem().await.unwrap().contains("was replaced"));
        std::fs::rename(&aside, &path).unwrap();
        assert_eq!(file.problem().await, None);
    }
}
