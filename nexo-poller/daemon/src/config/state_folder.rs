use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nexo_poller::unstable::Outsider;

use crate::config::private_file::create_dir;

/// Why job state is not kept in a folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateFolderError {
    #[error("the directory {} of `state_db` cannot be made: {source}", dir.display())]
    Make { dir: PathBuf, source: io::Error },
    #[error(
        "the directory {} of `state_db` is open to everybody (mode {mode:o}): anybody could put files in the place of the job \
         state and the admin token; close it with `chmod go-w {}`, or let `state_db` name a new directory in it, which will be \
         this user's only",
        dir.display(),
        dir.display()
    )]
    OpenToAll { dir: PathBuf, mode: u32 },
    #[error(
        "the directory {} of `state_db` belongs to another user (uid {owner}, and this is uid {own}), who could put files in the \
         place of the job state and the admin token; run as that user, `chown {own} {}`, or set `state_db` to a file elsewhere",
        dir.display(),
        dir.display()
    )]
    OfAnother { dir: PathBuf, owner: u32, own: u32 },
}

/// Makes `dir` where it is not there, and judges it.
///
/// # Errors
/// [`StateFolderError`], which says what to do.
pub(crate) fn prepare(dir: &Path) -> Result<(), StateFolderError> {
    create_dir(dir).map_err(|source| StateFolderError::Make { dir: dir.to_owned(), source })?;
    judge(dir)
}

/// Whether job state is safe in `dir`, if it is there.
///
/// # Errors
/// [`StateFolderError`], which says what to do.
pub(crate) fn judge(dir: &Path) -> Result<(), StateFolderError> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    // What cannot be looked at cannot be written either, which is said elsewhere.
    let Ok(found) = std::fs::metadata(dir) else { return Ok(()) };
    judge_as(dir, found.mode(), found.uid(), rustix::process::geteuid().as_raw())
}

fn judge_as(dir: &Path, mode: u32, owner: u32, own: u32) -> Result<(), StateFolderError> {
    let dir = dir.to_owned();
    // The sticky bit keeps others from removing files, and not from being there first. A group that may write has been let in.
    match Outsider::of(mode, (owner, 0), (own, 0)) {
        Some(Outsider::Owner) => Err(StateFolderError::OfAnother { dir, owner, own }),
        Some(Outsider::Everybody) => Err(StateFolderError::OpenToAll { dir, mode: mode & 0o7777 }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_that_everybody_may_write_is_refused_with_its_mode_and_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        judge(dir.path()).unwrap();
        for (mode, shown) in [(0o777, "777"), (0o1777, "1777"), (0o702, "702")] {
            std::fs::set_permissions(dir.path(), Permissions::from_mode(mode)).unwrap();
            let said = prepare(dir.path()).unwrap_err().to_string();
            let remedy = format!("`chmod go-w {}`", dir.path().display());
            assert!(said.contains(&format!("(mode {shown})")) && said.contains(&remedy), "{said}");
        }
    }

    #[test]
    fn a_folder_belongs_to_the_daemons_user_or_to_root() {
        for owner in [0, 1000] {
            judge_as(Path::new("data"), 0o700, owner, 1000).unwrap();
        }
        for (owner, own) in [(1000, 1001), (1000, 0)] {
            let said = judge_as(Path::new("data"), 0o700, owner, own).unwrap_err().to_string();
            assert!(said.contains(&format!("uid {owner}")) && said.contains(&format!("`chown {own} data`")), "{said}");
        }
    }
}
