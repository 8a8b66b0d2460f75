//! Files that only their owner may read.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Creates `dir` and its parents, closed to others (0700); one that exists is left as it is.
pub(super) fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Puts `content` in place of the file at `path` (0600), whole or not at all.
pub(super) fn replace(path: &Path, content: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.tmp", std::process::id()));
    let draft = Path::new(&draft);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(draft, path)
}

/// Reads a file that holds secrets.
///
/// # Errors
/// Also where others than its owner may read it.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mode = std::fs::metadata(path)?.mode() & 0o777;
    // systemd lets the service's user in by an access control list, which shows as a group that may read; its directory is
    // closed to everybody else.
    let handed_over =
        std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|dir| path.parent() == Some(Path::new(&dir)));
    let closed_to = if handed_over { 0o037 } else { 0o077 };
    if mode & closed_to != 0 {
        let message = format!("it is open to others (mode {mode:o}); close it with `chmod 600 {}`", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    std::fs::read_to_string(path)
}
