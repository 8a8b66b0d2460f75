use std::fs::File;
use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, getpgrp, getpid, kill_process_group};

/// Ends this process and everything that it has forked, where a daemon has started it as the head of a process group of
/// its own. A daemon that was killed can no longer do that, and a `sleep` or a browser that a tick has started would
/// outlive both. Where somebody else has started this process, its group is not its own to end.
pub(super) fn end_with_children() {
    let started_by_a_daemon = std::env::var_os("NEXO_POLLER_PLUGIN_ID").is_some();
    if started_by_a_daemon && getpgrp() == getpid() {
        // Includes this process: nothing after it runs.
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    }
}

/// Blocks until nobody reads from the other end of `pipe` any more.
///
/// # Errors
/// Where the operating system cannot tell.
pub(super) fn wait_until_unread(pipe: &File) -> io::Result<()> {
    loop {
        // An error of the pipe is reported whether it is asked for or not.
        let mut watched = [PollFd::new(pipe, PollFlags::empty())];
        match poll(&mut watched, None) {
            Ok(_) if !watched[0].revents().is_empty() => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether nobody can write to `pipe` any more; no, where the operating system cannot tell.
pub(super) fn has_no_writer(pipe: &File) -> bool {
    let mut watched = [PollFd::new(pipe, PollFlags::empty())];
    poll(&mut watched, Some(&Timespec::default())).is_ok() && watched[0].revents().contains(PollFlags::HUP)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_pipe_whose_reader_goes_away_ends_the_wait() {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        let waiting = std::thread::spawn(move || wait_until_unread(&writer));
        drop(reader);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn a_pipe_that_nobody_can_write_to_any_more_is_told_from_one_that_is_only_silent() {
        let (reader, writer) = std::io::pipe().unwrap();
        let reader = File::from(std::os::fd::OwnedFd::from(reader));
        assert!(!has_no_writer(&reader));
        (&writer).write_all(b"unread").unwrap();
        assert!(!has_no_writer(&reader));
        drop(writer);
        assert!(has_no_writer(&reader), "also while something is left to read");
    }
}
