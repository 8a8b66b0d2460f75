//! Files that only their owner may read.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nexo_poller::unstable::{open_regular_file, read_opened};

/// The credentials of some ten thousand agents.
pub(super) const MOST: u64 = 16 * 1024 * 1024;

/// Creates `dir` and its parents, closed to others (0700); one that exists is left as it is.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Puts `content` in place of the file at `path` (0600), whole or not at all.
pub(crate) fn replace(path: &Path, content: &str) -> io::Result<()> {
    std::fs::rename(draft(path, content)?, path)
}

/// Writes `content` into a file at `path` (0600), whole or not at all, where there is none yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: it stays as it is.
pub(crate) fn create(path: &Path, content: &str) -> io::Result<()> {
    let draft = draft(path, content)?;
    match std::fs::hard_link(&draft, path) {
        // A file system without links: nobody else is expected to write there at this very moment.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => std::fs::rename(draft, path),
        linked => std::fs::remove_file(draft).and(linked),
    }
}

/// A file beside `path`, for this process to put in its place.
fn draft(path: &Path, content: &str) -> io::Result<PathBuf> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(draft.into())
}

/// Reads a file that holds secrets.
///
/// # Errors
/// Also where others than its owner may read it.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let file = open_regular_file(path)?;
    must_be_closed(&file, path)?;
    read_opened(file, MOST)
}

/// # Errors
/// Where others than its owner may read the `file` that was opened at `path`.
pub(super) fn must_be_closed(file: &File, path: &Path) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o777;
    // systemd lets the service's user in by an access control list, which shows as a group that may read; its directory is
    // closed to everybody else.
    let handed_over =
        std::env::var_os("CREDENTIALS_DIRECTORY").is_some_and(|dir| path.parent() == Some(Path::new(&dir)));
    let closed_to = if handed_over { 0o037 } else { 0o077 };
    if mode & closed_to != 0 {
        let message = format!("it is open to others (mode {mode:o}); close it with `chmod 600 {}`", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_that_is_made_does_not_take_the_place_of_one_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("admin.token");
        create(&path, "first").unwrap();
        assert_eq!(create(&path, "second").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap(), "first");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
    }

    #[test]
    fn a_file_with_secrets_is_read_only_where_it_is_regular_and_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        create(&path, "hunter2").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("mode 644") && said.contains("chmod 600"), "{said}");
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
        assert!(read(&pipe).unwrap_err().to_string().contains("it is a pipe"));
    }
}
