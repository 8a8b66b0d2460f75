use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;

/// Takes the real stdout away from everything but the caller: from now on `println!` and child processes that write to
/// stdout reach stderr. Whoever reads our stdout (a daemon, a script behind `--json`) gets what we mean to say, alone.
///
/// The descriptor is closed on exec, so that no child keeps the pipe open.
pub(super) fn set_stdout_aside() -> io::Result<File> {
    let real = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(real))
}

/// Takes the real stdin away likewise: a child process that reads its stdin would otherwise eat the daemon's frames.
pub(super) fn set_stdin_aside() -> io::Result<File> {
    let real = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(File::from(real))
}

/// Whether somebody may speak through stdin: a service manager gives /dev/null, a person a terminal, a host a pipe.
pub(super) fn stdin_is_a_pipe() -> bool {
    let kind = io::stdin().as_fd().try_clone_to_owned().and_then(|fd| File::from(fd).metadata());
    kind.is_ok_and(|stdin| stdin.file_type().is_fifo() || stdin.file_type().is_socket())
}
