//! A daemon that is killed cannot kill its plugins. A process of its own, the guardian, is told of every process group; its stdin
//! ends with the daemon, and then it ends what the daemon has left.
//!
//! The kernel's own way, a signal on the parent's death, is asked for between fork and exec, where safe code cannot run. It would
//! reach the plugin alone, and nothing that the plugin has started; and a program in between that asks for it would cost each
//! ephemeral tick a second start.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Plugins whose daemon is gone may take this long to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(25);

/// One that cannot be started, or does not stay, costs no more than a try in this time.
const AGAIN: Duration = Duration::from_secs(10);

static GUARDIAN: OnceLock<Guardian> = OnceLock::new();

struct Guardian {
    command: Box<dyn Fn() -> Command + Send + Sync>,
    watch: Mutex<Watch>,
}

/// The groups that there are, and the process that knows them.
#[derive(Default)]
struct Watch {
    groups: BTreeSet<i32>,
    process: Option<(Child, ChildStdin)>,
    /// When it was last started, or tried to be.
    started: Option<Instant>,
}

/// Has every process group of a plugin watched by a process that `command` starts, and that does nothing but [`guard`] its stdin. It is
/// started with the first plugin, and again where it has ended. Only the first call in a process counts.
pub fn set_guardian(command: impl Fn() -> Command + Send + Sync + 'static) {
    let _ = GUARDIAN.set(Guardian { command: Box::new(command), watch: Mutex::default() });
}

/// Watches over `group` from now on.
pub(super) fn watch(group: Pid) {
    if let Some(guardian) = GUARDIAN.get() {
        guardian.change(group.as_raw_nonzero().get(), true);
    }
}

/// There is nothing left of `group`.
pub(super) fn forget(group: Pid) {
    if let Some(guardian) = GUARDIAN.get() {
        guardian.change(group.as_raw_nonzero().get(), false);
    }
}

impl Guardian {
    fn change(&self, group: i32, is_there: bool) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if is_there {
            watch.groups.insert(group)
        } else {
            watch.groups.remove(&group)
        };
        if watch.tell(&line(group, is_there)) {
            return;
        }
        watch.stop();
        if is_there && watch.started.is_none_or(|started| started.elapsed() >= AGAIN) {
            watch.started = Some(Instant::now());
            if let Err(error) = watch.start((self.command)()) {
                tracing::warn!(
                    "the guardian of the plugins cannot be started, so they would outlive a daemon that is killed: {error}"
                );
            }
        }
    }
}

impl Watch {
    fn tell(&mut self, line: &str) -> bool {
        self.process.as_mut().is_some_and(|(_, stdin)| stdin.write_all(line.as_bytes()).is_ok())
    }

    /// One that was not told of something knows too little: at the end of its input it would end what is none of its business.
    fn stop(&mut self) {
        if let Some((mut process, _stdin)) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    fn start(&mut self, mut command: Command) -> io::Result<()> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("a pipe to it is missing"))?;
        // Nobody here waits for one that has been stopped.
        rustix::io::ioctl_fionbio(&stdin, true)?;
        let groups: String = self.groups.iter().map(|group| line(*group, true)).collect();
        stdin.write_all(groups.as_bytes())?;
        self.process = Some((child, stdin));
        Ok(())
    }
}

fn line(group: i32, is_there: bool) -> String {
    format!("{}{group}\n", if is_there { '+' } else { '-' })
}

/// What the guardian does: reads from `input` which groups there are, and at its end kills those that have not ended by themselves
/// within two seconds.
pub fn guard(input: impl BufRead) {
    let mut groups = BTreeSet::new();
    // Where it cannot be read, nobody is at the other end either.
    for line in input.lines().map_while(Result::ok) {
        let group = |digits: &str| digits.parse().ok().and_then(Pid::from_raw).map(|pid| pid.as_raw_nonzero().get());
        match (line.strip_prefix('+'), line.strip_prefix('-')) {
            (Some(digits), _) => groups.extend(group(digits)),
            (_, Some(digits)) => {
                group(digits).map(|group| groups.remove(&group));
            }
            _ => {}
        }
    }
    let mut groups: Vec<Pid> = groups.into_iter().filter_map(Pid::from_raw).collect();
    let end = Instant::now() + GRACE;
    loop {
        groups.retain(|group| test_kill_process_group(*group).is_ok());
        if groups.is_empty() {
            return;
        }
        if Instant::now() >= end {
            break;
        }
        std::thread::sleep(LOOK);
    }
    for group in groups {
        // One that has ended meanwhile is what we want.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};

    use super::*;

    #[test]
    fn a_guardian_that_has_ended_is_started_again_with_all_groups_that_there_are_but_not_for_each_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let told = folder.path().join("told");
        let script = format!("read first; echo \"$first\" >> {}", told.display());
        let command = move || {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        };
        let guardian = Guardian { command: Box::new(command), watch: Mutex::default() };
        let wait = || guardian.watch.lock().unwrap().process.as_mut().unwrap().0.wait().unwrap();
        guardian.change(1001, true);
        wait();
        // It has ended: the next is one too soon.
        guardian.change(1002, true);
        assert!(guardian.watch.lock().unwrap().process.is_none());
        guardian.watch.lock().unwrap().started = None;
        guardian.change(1001, false);
        guardian.change(1003, true);
        wait();
        assert_eq!(std::fs::read_to_string(told).unwrap(), "+1001\n+1002\n");
    }

    #[test]
    fn at_the_end_of_its_input_it_ends_the_groups_that_are_still_there_and_no_other() {
        let sleeper = || Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let (mut left, mut forgotten) = (sleeper(), sleeper());
        let input = format!("+{}\n+{}\nnonsense\n+0\n-{}\n", left.id(), forgotten.id(), forgotten.id());
        guard(input.as_bytes());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        assert_eq!(forgotten.try_wait().unwrap(), None);
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
    }
}
