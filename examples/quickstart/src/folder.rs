use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use nexo_poller::prelude::*;

/// What makes a file the same file under another name. The number alone is not enough: a file system gives the numbers
/// of deleted files to new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    pub(crate) bytes: u64,
    pub(crate) modified_ms: i64,
}

impl Stamp {
    /// How long ago the file was written to; `None` where that lies in the future, on a clock that was set back.
    pub(crate) fn age_at(&self, now: DateTime<Utc>) -> Option<Duration> {
        u64::try_from(now.timestamp_millis() - self.modified_ms).ok().map(Duration::from_millis)
    }
}

/// The plain files of a folder, by name. Hidden ones are left out: half of all programs write to `.name` first.
pub(crate) fn list(folder: &Path) -> io::Result<BTreeMap<String, Stamp>> {
    let mut found = BTreeMap::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Between the listing and this line the file may have gone: then it is not there, which is no error.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() || name.starts_with('.') {
            continue;
        }
        let since_epoch = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
        found.insert(name, Stamp { inode: metadata.ino(), bytes: metadata.len(), modified_ms });
    }
    Ok(found)
}
