use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::NatsServerError;

/// More than enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// One life of the server's process. Dropping it kills the process.
pub(super) struct Process {
    child: Child,
    log: Receiver<String>,
    said: String,
}

impl Process {
    pub(super) fn start(program: &Path, config: &Path) -> Result<Self, NatsServerError> {
        let mut child = Command::new(program)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(NatsServerError::io("it cannot be started"))?;
        let (sender, log) = channel();
        if let Some(stderr) = child.stderr.take() {
            // Read to the end whether anybody listens or not: a full pipe would stop the server.
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Ok(Self { child, log, said: String::new() })
    }

    /// Waits for a line of the log that holds `wanted`.
    pub(super) fn wait_for(&mut self, wanted: &str) -> Result<String, NatsServerError> {
        if let Some(line) = self.said.lines().find(|line| line.contains(wanted)) {
            return Ok(line.to_owned());
        }
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            // Writing to a string cannot fail.
            let _ = writeln!(self.said, "{line}");
            if line.contains(wanted) {
                return Ok(line);
            }
        }
        Err(NatsServerError::NotReady { within: PATIENCE, said: self.said.clone() })
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A process that is gone cannot be told anything, and need not be.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until the process, which was sent a signal to stop, has stopped: its threads go on for a moment after the signal.
    pub(super) fn stopped(&self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // One that is gone is as silent; that it has ended is left for `gone` to find.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        }
    }

    /// Waits until the process is gone, however it ended.
    pub(super) fn gone(&mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process is killed all the same.
        let _ = self.child.kill();
        self.gone();
    }
}
