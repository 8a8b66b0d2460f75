use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::quickstart::{daemon, prepared};
use crate::run::{finish, output};
use crate::scratch::Scratch;
use crate::{Outcome, say};

/// What the README promises to a reader.
const PROMISED: Duration = Duration::from_secs(2);

/// Nothing here may take longer, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The quickstart, as a reader would try it: boot, drop a file, see it; stop, start, see nothing twice.
pub(crate) fn check() -> Outcome {
    let scratch = Scratch::new("quickstart")?;
    let (command, folder) = prepared(Some(scratch.path()))?;
    // The port that the file would have might belong to a daemon of somebody at this machine.
    let yaml = folder.join("pollers.yaml");
    let text = fs::read_to_string(&yaml).map_err(|error| format!("{}: {error}", yaml.display()))?;
    fs::write(&yaml, text.replacen("pollers:\n", "pollers:\n  admin: { bind: \"127.0.0.1:0\" }\n", 1))
        .map_err(|error| format!("{}: {error}", yaml.display()))?;
    let inbox = folder.join("inbox");

    let mut first = Daemon::start(command)?;
    drop_file(&inbox, "first.txt")?;
    first.expect("first.txt")?;
    // The daemon is up now: what follows is what the README's reader sees.
    let dropped = Instant::now();
    drop_file(&inbox, "second.txt")?;
    first.expect("second.txt")?;
    let took = dropped.elapsed();
    let listed = output(Command::new(daemon()?).arg("list").arg("-c").arg(&yaml))?;
    if !listed.lines().any(|line| line.trim().starts_with("inbox ") && line.contains("new_files")) {
        return Err(format!("`nexo-poller list` does not show the job:\n{listed}"));
    }
    first.stop()?;

    let (command, _) = prepared(Some(scratch.path()))?;
    fs::write(&yaml, text.replacen("pollers:\n", "pollers:\n  admin: { bind: \"127.0.0.1:0\" }\n", 1))
        .map_err(|error| format!("{}: {error}", yaml.display()))?;
    let mut again = Daemon::start(command)?;
    drop_file(&inbox, "third.txt")?;
    let seen = again.expect("third.txt")?;
    again.stop()?;
    if let Some(repeated) = seen.iter().find(|line| line.contains("first.txt") || line.contains("second.txt")) {
        return Err(format!("after a restart the daemon announced again: {repeated}"));
    }
    if took > PROMISED {
        return Err(format!("the README promises an announcement within {PROMISED:?}; it took {took:?}"));
    }
    say(&format!("quickstart: announced after {} ms, nothing repeated after a restart", took.as_millis()))
}

fn drop_file(inbox: &Path, name: &str) -> Outcome {
    fs::write(inbox.join(name), "hello\n").map_err(|error| format!("{}: {error}", inbox.display()))
}

/// A daemon that runs, killed when this goes.
struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    fn start(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the daemon could not be started: {error}"))?;
        let stdout = child.stdout.take().ok_or("the daemon has no stdout")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// Waits for a line that contains `text`; the lines up to it.
    fn expect(&mut self, text: &str) -> Result<Vec<String>, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen: Vec<String> = Vec::new();
        while seen.last().is_none_or(|line| !line.contains(text)) {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => seen.push(line),
                Err(_) => {
                    let state = self.child.try_wait().ok().flatten();
                    let state = state.map_or("it still runs".to_owned(), |status| format!("it ended with {status}"));
                    return Err(format!("no line about `{text}` on the daemon's stdout ({state}), only: {seen:#?}"));
                }
            }
        }
        Ok(seen)
    }

    /// SIGTERM, then the end, which must come in order.
    fn stop(mut self) -> Outcome {
        finish(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("after SIGTERM the daemon ended with {status}")),
                Err(error) => return Err(format!("the daemon cannot be waited for: {error}")),
            }
        }
        Err(format!("the daemon still ran {PATIENCE:?} after SIGTERM"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
