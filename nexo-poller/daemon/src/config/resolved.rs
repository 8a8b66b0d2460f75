use std::fs::File;
use std::io;
use std::path::Path;

use nexo_poller::unstable::must_be_regular;
use rustix::fs::{Mode, OFlags};

/// What belongs to the system and not to a configuration.
const OF_THE_SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Whether `path`, which has no links, is below a directory that holds no configuration.
pub(super) fn is_of_the_system(path: &Path) -> bool {
    OF_THE_SYSTEM.iter().any(|root| path.starts_with(root))
}

/// Opens the regular file at `path`, which has no links: where there are some by now, somebody has put them there after the
/// path was judged, and it is not opened.
pub(super) fn open_resolved(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, flags)?);
    must_be_regular(&file)?;
    Ok(file)
}

#[cfg(target_os = "linux")]
fn open(path: &Path, flags: OFlags) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{CWD, ResolveFlags, openat2};
    use rustix::io::Errno;

    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A kernel before 5.6, or a sandbox that does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty()),
        opened => opened,
    }
}

#[cfg(not(target_os = "linux"))]
fn open(path: &Path, flags: OFlags) -> rustix::io::Result<std::os::fd::OwnedFd> {
    rustix::fs::open(path, flags | OFlags::NOFOLLOW, Mode::empty())
}
