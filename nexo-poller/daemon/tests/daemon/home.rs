//! A real daemon in a directory of its own, with real plugins.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use fixtures::chatty;

/// More than enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with a `pollers.yaml`.
pub(crate) struct Home(TempDir);

impl Home {
    /// One whose file has these jobs, a line each, the fixture as its plugin, and a free admin port.
    pub(crate) fn with_jobs(jobs: &[&str]) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.jobs("", jobs);
        home
    }

    /// Writes the file again: `extra` lines of settings, and jobs.
    pub(crate) fn jobs(&self, extra: &str, jobs: &[&str]) {
        let plugin = chatty().get_program().to_owned();
        let jobs: String = jobs.iter().map(|job| format!("    - {{ agent: ana, {job} }}\n")).collect();
        self.write(
            "pollers.yaml",
            &format!(
                "pollers:\n  admin: {{ bind: \"127.0.0.1:0\" }}\n  plugins: [ {} ]\n{extra}  jobs:\n{jobs}",
                plugin.display()
            ),
        );
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn private(&self, name: &str, text: &str) {
        let path = self.write(name, text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A command of the program, run in this directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nexo-poller"));
        command.args(args).current_dir(self.path()).env_remove("NEXO_POLLERS").env_remove("RUST_LOG");
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().unwrap().into()
    }

    /// The answer of a command with `--json`.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let said = self.run(&[args, &["--json"]].concat());
        serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{args:?}: {said:?}"))
    }

    /// Boots the daemon and waits until it says that it runs, and its plugins as well.
    pub(crate) fn boot(&self) -> Daemon {
        self.boot_with(self.command(&["run"]))
    }

    pub(crate) fn boot_with(&self, command: Command) -> Daemon {
        self.boot_to(command, Stdio::piped())
    }

    /// The same for a daemon whose stdout may be somebody else's.
    pub(crate) fn boot_to(&self, mut command: Command, stdout: Stdio) -> Daemon {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        // It holds the other ends of what it was given.
        drop(command);
        let stderr = child.stderr.take().unwrap();
        let out = child.stdout.take().map_or_else(|| channel().1, lines);
        let mut daemon = Daemon {
            child,
            out,
            log: lines(stderr),
            heard_out: String::new(),
            heard_log: String::new(),
            address: String::new(),
        };
        daemon.wait_for_log("nexo-poller runs");
        daemon.wait_for_log("plugins are settled");
        daemon.address = std::fs::read_to_string(self.path().join("data/admin.addr")).unwrap().trim().to_owned();
        daemon
    }

    /// Runs a boot that must fail.
    pub(crate) fn fail_to_boot(&self) -> Said {
        self.run(&["run"])
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.path().join("data/admin.token")).unwrap().trim().to_owned()
    }

    /// What is stored under a job's id.
    pub(crate) fn cursor(&self, job: &str) -> Option<Vec<u8>> {
        let store = rusqlite::Connection::open(self.path().join("data/poller.db")).unwrap();
        store.query_row("SELECT cursor FROM job WHERE id = ?1", [job], |row| row.get(0)).unwrap()
    }
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A daemon that runs. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    out: Receiver<String>,
    log: Receiver<String>,
    pub(crate) heard_out: String,
    pub(crate) heard_log: String,
    pub(crate) address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            if sender.send(line.unwrap()).is_err() {
                break;
            }
        }
    });
    lines
}

fn wait_for(lines: &Receiver<String>, heard: &mut String, wanted: &str) -> String {
    if let Some(line) = heard.lines().find(|line| line.contains(wanted)) {
        return line.to_owned();
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
            panic!("`{wanted}` was not said; heard was:\n{heard}");
        };
        heard.push_str(&line);
        heard.push('\n');
        if line.contains(wanted) {
            return line;
        }
    }
}

impl Daemon {
    /// Waits for a line of the log that holds `wanted`.
    pub(crate) fn wait_for_log(&mut self, wanted: &str) -> String {
        wait_for(&self.log, &mut self.heard_log, wanted)
    }

    /// Waits for a line on stdout that holds `wanted`.
    pub(crate) fn wait_for_out(&mut self, wanted: &str) -> String {
        wait_for(&self.out, &mut self.heard_out, wanted)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Lets its files grow again, as far as they like.
    pub(crate) fn widen_file_limit(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("prlimit").args(["--pid", &pid, "--fsize=unlimited"]).status();
        assert!(status.is_ok_and(|status| status.success()), "`prlimit` is needed: install util-linux");
    }

    /// Waits until it has ended, and for the rest of what it said.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        // Both pipes close when the process ends; then it can be waited for without blocking.
        while let Ok(line) = self.log.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.heard_log.push_str(&line);
            self.heard_log.push('\n');
        }
        assert!(Instant::now() < deadline, "the daemon did not end; heard was:\n{}", self.heard_log);
        while let Ok(line) = self.out.try_recv() {
            self.heard_out.push_str(&line);
            self.heard_out.push('\n');
        }
        self.child.wait().unwrap()
    }

    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.ended().success(), "{}", self.heard_log);
    }

    /// One HTTP request, byte for byte: status and body.
    pub(crate) fn http(&self, request_line: &str, headers: &[&str], body: &str) -> (u16, String) {
        let answer = self.exchange(request_line, headers, body);
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// One HTTP request, byte for byte, and all of what is answered.
    pub(crate) fn exchange(&self, request_line: &str, headers: &[&str], body: &str) -> String {
        let mut answer = String::new();
        let _ = self.send(request_line, headers, body).read_to_string(&mut answer);
        answer
    }

    /// The connection on which such a request was sent.
    pub(crate) fn send(&self, request_line: &str, headers: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("{request_line} HTTP/1.1\r\nConnection: close\r\n");
        for header in headers {
            request += &format!("{header}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Asks for `path` until `is_there` says so of the answer.
    pub(crate) fn wait_for_answer(&self, path: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = serde_json::from_str(&self.get(path).1).unwrap_or_default();
            if is_there(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} is still {answer}");
        }
    }

    /// A request as a well-behaved client on this machine makes it.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.http(&format!("GET {path}"), &[&format!("Host: {}", self.address)], "")
    }
}
