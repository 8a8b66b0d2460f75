//! What this process got from whoever started it, and what its plugins are not to get from it.

use std::process::Command;

use nexo_poller::router;
use tokio::signal::unix::{SignalKind, signal};

/// What the program is started with to be its own plugins' guardian.
const GUARD: &str = "--guard-plugins";

/// SIGPIPE: the standard library gives it back to each child. SIGTTIN and SIGTTOU: a process that hears them in place of ignoring
/// them would write to its terminal again and again; plugins have none.
const LEFT_ALONE: [i32; 3] = [13, 21, 22];

/// Whether this process is the guardian of a daemon's plugins; then that is all it does, and it has done it.
pub(crate) fn was_guardian() -> bool {
    let asked = std::env::args_os().nth(1).is_some_and(|first| first == GUARD);
    if asked {
        router::guard(std::io::stdin().lock());
    }
    asked
}

/// Descriptors that this process was started with (sockets of its service manager, files of a shell) stay its own. What it opens
/// itself is closed in its children anyway.
pub(crate) fn keep_descriptors() {
    close_fds::set_fds_cloexec(3, &[]);
}

/// A killed daemon leaves nothing of its plugins behind.
pub(crate) fn guard_plugins() {
    router::set_guardian(|| {
        use std::os::unix::process::CommandExt as _;
        // Not by its path: another version may stand there by now.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("nexo-poller").arg(GUARD).env_clear().current_dir("/");
        // What is meant for the daemon's group (Ctrl-C, say) is not for its guardian.
        command.process_group(0);
        command
    });
}

/// A signal that is ignored stays ignored in every child: `nohup` ignores SIGHUP, a shell SIGINT for what it starts with `&`. One that
/// is heard, by somebody who does nothing about it, is as good as ignored here, and does in a child what it does by default.
pub(crate) fn hear_ignored_signals() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    for number in (1..=64).filter(|number| ignored >> (number - 1) & 1 == 1 && !LEFT_ALONE.contains(number)) {
        // A few are nobody's to hear: SIGSEGV, say, and the two that the C library keeps to itself, 32 and 33.
        let _ = signal(SignalKind::from_raw(number));
    }
}
