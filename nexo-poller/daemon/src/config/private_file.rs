//! Files that only their owner may read.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use nexo_poller::unstable::{open_regular_file, read_opened};
use tempfile::NamedTempFile;

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
    draft(path, content)?.persist(path)?;
    Ok(())
}

/// Writes `content` into a file at `path` (0600), whole or not at all, where there is none yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: it stays as it is.
pub(crate) fn create(path: &Path, content: &str) -> io::Result<()> {
    match draft(path, content)?.persist_noclobber(path) {
        // A file system without links: nobody else is expected to write there at this very moment.
        Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => failed.file.persist(path)?,
        made => made?,
    };
    Ok(())
}

/// A new file (0600) beside `path`, to be put in its place. Its name cannot be guessed and nothing stands under it yet, so that no link
/// of somebody else leads the content elsewhere. It goes away where it is not used.
fn draft(path: &Path, content: &str) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(".");
    let mut draft = tempfile::Builder::new().prefix(&prefix).suffix(".tmp").tempfile_in(folder)?;
    draft.write_all(content.as_bytes())?;
    draft.as_file().sync_all()?;
    Ok(draft)
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

    #[test]
    fn a_link_under_the_name_of_a_file_or_of_its_draft_leads_nothing_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let (path, victim) = (dir.path().join("admin.addr"), dir.path().join("victim"));
        std::fs::write(&victim, "mine").unwrap();
        std::os::unix::fs::symlink(&victim, dir.path().join(format!("admin.addr.{}.tmp", std::process::id()))).unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert_eq!(create(&path, "127.0.0.1:1").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        replace(&path, "127.0.0.1:1").unwrap();
        assert_eq!(
            (read(&path).unwrap().as_str(), std::fs::read_to_string(&victim).unwrap().as_str()),
            ("127.0.0.1:1", "mine")
        );
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }
}
