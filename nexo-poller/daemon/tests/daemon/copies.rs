//! Copies of a plugin that serve over NATS, and daemons that know them by their manifest.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::home::{Home, PATIENCE};
use fixtures::chatty;

/// One copy of the fixture as a process. Dropping it kills it.
pub(crate) struct Copy {
    child: Child,
    said: Receiver<String>,
}

impl Copy {
    pub(crate) fn start(url: &str) -> Self {
        let mut command = chatty();
        command.env("NEXO_BROKER_URL", url);
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let copy = Self { child, said };
        copy.wait_for("serves ticks from");
        copy
    }

    pub(crate) fn wait_for(&self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = String::new();
        loop {
            let Ok(line) = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                panic!("`{wanted}` was not said; heard was:\n{heard}");
            };
            heard += &line;
            if line.contains(wanted) {
                return line;
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends as a service manager ends it.
    pub(crate) fn stop(mut self) -> bool {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        let deadline = Instant::now() + PATIENCE;
        // Its stderr closes when it ends.
        while self.said.recv_timeout(Duration::from_secs(30)).is_ok() && Instant::now() < deadline {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home of a daemon that knows the fixture by its manifest only, and finds it on the broker at `url`.
pub(crate) fn remote_home(url: &str, extra: &str, jobs: &[&str]) -> Home {
    let home = Home::with_jobs(&[]);
    let manifest = chatty().arg("--print-manifest").output().unwrap().stdout;
    home.write("manifests/chatty.toml", std::str::from_utf8(&manifest).unwrap());
    let jobs: String = jobs.iter().map(|job| format!("    - {{ agent: ana, {job} }}\n")).collect();
    home.write(
        "pollers.yaml",
        &format!(
            "pollers:\n  admin: {{ bind: \"127.0.0.1:0\" }}\n  broker: {{ url: \"{url}\", plugins: [ manifests ]{extra} }}\n  \
             jobs:\n{jobs}"
        ),
    );
    home
}
