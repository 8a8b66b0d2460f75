use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::process::{getegid, geteuid};

use super::outsider::Outsider;

/// As many symbolic links as the kernel follows.
const MOST_LINKS: usize = 40;

/// In such a directory, only its owner takes a file away or puts another in its place.
const STICKY: u32 = 0o1000;

/// Why a path is not run, or not read as a manifest: somebody else than root and who runs this can put a program of his own there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UntrustedPath {
    /// Whoever likes can.
    #[error(
        "{} can be changed by everybody (mode {mode:04o}), and what stands there is run: close it with `chmod go-w {}`",
        path.display(), path.display()
    )]
    Everybody {
        /// The file or directory, which may be one above what was asked for.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The members of another group can.
    #[error(
        "{} can be changed by the group {group} (mode {mode:04o}), and what stands there is run: close it with `chmod g-w {}`",
        path.display(), path.display()
    )]
    Group {
        /// The file or directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The id of its group.
        group: u32,
    },
    /// Another user can.
    #[error(
        "{} belongs to the user {owner}, but this runs as the user {us}: what is run must belong to that user or to root; change it with \
         `chown`, or run this as that user",
        path.display()
    )]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// The id of its owner.
        owner: u32,
        /// The id of the user who runs this.
        us: u32,
    },
    /// It cannot be looked at.
    #[error("{} cannot be looked at: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
}

/// Looks at `path`, at everything above it, and at the same for the target of every symbolic link on the way: whoever may change any
/// of them decides what is found there.
///
/// # Errors
/// [`UntrustedPath`], of the first that others can change.
pub(super) fn trust(path: &Path) -> Result<(), UntrustedPath> {
    Trust::of_this_process().look(path)
}

/// Whom what is run may belong to, besides root.
#[derive(Debug, Clone, Copy)]
struct Trust {
    user: u32,
    group: u32,
}

impl Trust {
    fn of_this_process() -> Self {
        Self { user: geteuid().as_raw(), group: getegid().as_raw() }
    }

    fn look(self, path: &Path) -> Result<(), UntrustedPath> {
        let failed = |path: &Path, error| UntrustedPath::Io { path: path.to_owned(), error };
        let whole = std::path::absolute(path).map_err(|error| failed(path, error))?;
        let mut at = PathBuf::from("/");
        let mut ahead = parts(&whole);
        let mut links = 0;
        let mut metadata = std::fs::metadata(&at).map_err(|error| failed(&at, error))?;
        self.verify(&at, &metadata, ahead.is_empty())?;
        while let Some(part) = ahead.pop_front() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(part);
            metadata = std::fs::symlink_metadata(&next).map_err(|error| failed(&next, error))?;
            if !metadata.is_symlink() {
                self.verify(&next, &metadata, ahead.is_empty())?;
                at = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(failed(&next, io::Error::from(io::ErrorKind::TooManyLinks)));
            }
            self.verify(&next, &metadata, false)?;
            let target = std::fs::read_link(&next).map_err(|error| failed(&next, error))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut rest = parts(&target);
            rest.append(&mut ahead);
            ahead = rest;
        }
        Ok(())
    }

    fn verify(self, path: &Path, metadata: &Metadata, last: bool) -> Result<(), UntrustedPath> {
        let (owner, group) = (metadata.uid(), metadata.gid());
        // Nobody writes into a link: its mode says nothing.
        let mode = if metadata.is_symlink() { 0 } else { metadata.mode() & 0o7777 };
        // What stands in a directory such as /tmp is safe where it belongs to us, and that is looked at next.
        let kept_apart = metadata.is_dir() && mode & STICKY != 0 && !last;
        let path = path.to_owned();
        match Outsider::of(mode, (owner, group), (self.user, self.group)) {
            None => Ok(()),
            Some(Outsider::Owner) => Err(UntrustedPath::Owner { path, owner, us: self.user }),
            Some(_) if kept_apart => Ok(()),
            Some(Outsider::Everybody) => Err(UntrustedPath::Everybody { path, mode }),
            Some(Outsider::Group) => Err(UntrustedPath::Group { path, mode, group }),
        }
    }
}

/// The names that a path is made of, `..` among them.
fn parts(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// A binary in a folder of its own.
    fn plugin(folder: &Path) -> PathBuf {
        let binary = folder.join("plugins/jira/jira-poller");
        std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
        std::fs::write(&binary, "").unwrap();
        for path in [folder.join("plugins"), folder.join("plugins/jira"), binary.clone()] {
            open(&path, 0o755);
        }
        binary
    }

    fn open(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn said(path: &Path) -> String {
        trust(path).unwrap_err().to_string()
    }

    #[test]
    fn a_binary_that_only_we_and_root_can_change_is_trusted_and_one_below_a_folder_that_all_can_change_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let binary = plugin(folder.path());
        trust(&binary).unwrap();
        for path in [binary.clone(), folder.path().join("plugins/jira"), folder.path().join("plugins")] {
            open(&path, 0o777);
            let place = path.display();
            let expected = format!(
                "{place} can be changed by everybody (mode 0777), and what stands there is run: close it with `chmod go-w {place}`"
            );
            assert_eq!(said(&binary), expected);
            open(&path, 0o755);
        }
        trust(&binary).unwrap();
    }

    #[test]
    fn a_folder_like_tmp_may_stand_above_what_is_ours_and_is_no_folder_of_plugins() {
        let folder = tempfile::tempdir().unwrap();
        let binary = plugin(folder.path());
        let shared = folder.path().join("plugins");
        open(&shared, 0o1777);
        trust(&binary).unwrap();
        assert!(said(&shared).contains("(mode 1777)"), "{}", said(&shared));
    }

    #[test]
    fn what_a_link_leads_through_counts_and_links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        let binary = plugin(folder.path());
        let (middle, link) = (folder.path().join("middle"), folder.path().join("link"));
        std::fs::create_dir(&middle).unwrap();
        symlink(&binary, middle.join("jira")).unwrap();
        symlink("middle/../middle/jira", &link).unwrap();
        trust(&link).unwrap();
        open(&middle, 0o777);
        assert!(said(&link).contains("middle can be changed by everybody"), "{}", said(&link));
        symlink("round", folder.path().join("round")).unwrap();
        assert!(said(&folder.path().join("round")).contains("cannot be looked at"));
    }

    #[test]
    fn a_group_that_is_our_own_may_write_and_another_may_not_nor_may_another_owner() {
        let folder = tempfile::tempdir().unwrap();
        let binary = plugin(folder.path());
        open(&binary, 0o775);
        let metadata = std::fs::metadata(&binary).unwrap();
        let (owner, group) = (metadata.uid(), metadata.gid());
        let as_us = Trust { user: owner, group };
        as_us.verify(&binary, &metadata, true).unwrap();
        // Group 0 is root's; who runs the tests may be root.
        let elsewhere = Trust { user: owner, group: group + 1 }.verify(&binary, &metadata, true);
        assert_eq!(elsewhere.is_ok(), group == 0, "{elsewhere:?}");
        let stranger = Trust { user: owner + 1, group }.verify(&binary, &metadata, true);
        assert_eq!(stranger.is_ok(), owner == 0, "{stranger:?}");
    }
}
