use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use crate::router::{PluginBinary, guardian};

/// A plugin's process with its three pipes, the head of a process group of its own.
pub(in crate::router) struct PluginProcess {
    pub(in crate::router) child: Child,
    pub(in crate::router) stdin: ChildStdin,
    pub(in crate::router) stdout: ChildStdout,
    pub(in crate::router) stderr: ChildStderr,
    pub(in crate::router) group: ProcessGroup,
}

impl PluginProcess {
    /// Starts `plugin`, on a thread that may wait: a program is read before it runs, and the file system that it is on may not
    /// answer. Where nobody waits any more, what has started then is killed.
    pub(in crate::router) async fn start_aside(plugin: &PluginBinary, ephemeral: bool) -> io::Result<Self> {
        let plugin = plugin.clone();
        tokio::task::spawn_blocking(move || Self::start(&plugin, ephemeral)).await.map_err(io::Error::other)?
    }

    /// Starts `plugin`: its [`command`](PluginBinary::command), with its id in the environment.
    fn start(plugin: &PluginBinary, ephemeral: bool) -> io::Result<Self> {
        let mut command = plugin.command();
        command.env("NEXO_POLLER_PLUGIN_ID", &plugin.manifest.plugin.id);
        if ephemeral {
            command.env("NEXO_POLLER_EPHEMERAL", "1");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let group = ProcessGroup::of(&child);
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok(Self { child, stdin, stdout, stderr, group }),
            _ => Err(io::Error::other("a pipe to it is missing")),
        }
    }
}

/// The process group of a child: killed whole when it is dropped, so that nothing that the child has forked stays behind; where this
/// process is killed before that, by the [guardian](crate::router::set_guardian).
/// (A process that has left the group with `setsid` is out of reach.)
#[derive(Debug)]
pub struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group that `child`, started with `process_group(0)`, is the head of.
    #[must_use]
    pub fn of(child: &Child) -> Self {
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        group.inspect(|group| guardian::watch(*group));
        Self(group)
    }

    /// The group's id, which is the child's.
    pub(in crate::router) fn id(&self) -> Option<u32> {
        self.0.and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok())
    }

    /// Asks every process of the group to end.
    pub(in crate::router) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // A group that is empty already is what we want.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.0.inspect(|group| guardian::forget(*group));
    }
}

/// How a process ended, in words that continue "plugin `x` …".
pub(in crate::router) fn exit_sentence(status: io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Err(error) => format!("ended in a way that cannot be read ({error})"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was killed by signal {signal}"),
            (None, None) => format!("ended ({status})"),
        },
    }
}
