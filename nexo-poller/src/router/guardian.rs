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
        let told = match &mut watch.process {
            Some((_, stdin)) => stdin.write_all(line(group, is_there).as_bytes()).is_ok(),
            None => false,
        };
        // One that was not told, or that does not read, knows nothing of what comes either.
        if !told
            && is_there
            && let Err(error) = watch.start_again((self.command)())
        {
            tracing::warn!(
                "a daemon that is killed would leave its plugins behind: their guardian cannot be started: {error}"
            );
        }
    }
}

impl Watch {
    fn start_again(&mut self, mut command: Command) -> io::Result<()> {
        if let Some((mut old, stdin)) = self.process.take() {
            // Killed first: at the end of its input it would end the plugins.
            let _ = old.kill();
            let _ = old.wait();
            drop(stdin);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("a pipe to it is missing"))?;
        let groups: String = self.groups.iter().map(|group| line(*group, true)).collect();
        stdin.write_all(groups.as_bytes())?;
        // Nobody here waits for one that has been stopped.
        rustix::io::ioctl_fionbio(&stdin, true)?;
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
