//! What does not answer (a reader of a pipe, a pipe in the place of a file) holds up nobody but whoever needs it.

use std::fs::{File, Permissions};
use std::io::{PipeReader, Read as _, Write as _, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::home::{Home, PATIENCE, Said};

const HOURLY: &str = "schedule: { every: 1h }, paused_on_boot: true";

/// A daemon whose every thread counts: one that blocks is one too many.
fn daemon(home: &Home) -> Command {
    let mut command = home.command(&["run"]);
    command.env("TOKIO_WORKER_THREADS", "1");
    command
}

/// A pipe that is full, and that nobody reads yet.
fn full_pipe() -> (PipeReader, Stdio) {
    let (reader, writer) = pipe().unwrap();
    let mut writer = File::from(OwnedFd::from(writer));
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
    while writer.write(&[b'\n'; 4096]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    (reader, writer.into())
}

/// What a command says, which must not hang.
fn said(home: &Home, args: &[&str]) -> Said {
    let mut child = home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (sender, ended) = channel();
    std::thread::spawn(move || {
        let output = [File::from(OwnedFd::from(stdout)), File::from(OwnedFd::from(stderr))].map(|mut pipe| {
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            text
        });
        sender.send(output)
    });
    let Ok([stdout, stderr]) = ended.recv_timeout(PATIENCE) else {
        child.kill().unwrap();
        panic!("`nexo-poller {}` hangs", args.join(" "));
    };
    Said { code: child.wait().unwrap().code(), stdout, stderr }
}

fn fifo(path: &Path) {
    let _ = std::fs::remove_file(path);
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(path).status().unwrap().success());
}

#[test]
fn a_daemon_whose_stdout_nobody_reads_goes_on_holds_messages_back_and_ends_in_time() {
    let home = Home::with_jobs(&[
        &format!("id: small, kind: chatty, {HOURLY}, config: {{ do: publish }}"),
        &format!("id: flood, kind: chatty, {HOURLY}, config: {{ do: flood }}"),
    ]);
    let (mut reader, stdout) = full_pipe();
    let mut daemon = home.boot_to(daemon(&home), stdout);
    for _ in 0..3 {
        assert_eq!(said(&home, &["run", "small"]).code, Some(0), "there is room for a few messages");
    }
    let flood = said(&home, &["run", "flood"]);
    assert_eq!(flood.code, Some(5), "the messages that nobody takes are repeated: {flood:?}");
    assert!(flood.stdout.contains("queue is full"), "{flood:?}");
    daemon.wait_for_log("nobody reads the daemon's stdout");
    assert_eq!(said(&home, &["list"]).code, Some(0));
    // Somebody comes to read.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(said(&home, &["run", "flood"]).code, Some(0));
    daemon.stop();
    let text = reading.join().unwrap();
    assert_eq!(text.matches("ops ← hello").count(), 3);
    assert!(text.lines().last().unwrap().starts_with("ops ← xxx"), "all that was sent was printed");
}

#[test]
fn a_daemon_whose_stdout_is_full_at_its_end_ends_in_time() {
    let home = Home::with_jobs(&[&format!("id: small, kind: chatty, {HOURLY}, config: {{ do: publish }}")]);
    let (_unread, stdout) = full_pipe();
    let daemon = home.boot_to(daemon(&home), stdout);
    assert_eq!(said(&home, &["run", "small"]).code, Some(0));
    let began = Instant::now();
    daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_daemon_whose_stderr_nobody_reads_runs_answers_and_ends_in_time() {
    let home = Home::with_jobs(&[&format!("id: small, kind: chatty, {HOURLY}, config: {{ do: publish }}")]);
    let (mut reader, stderr) = full_pipe();
    let mut child = daemon(&home).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    let began = Instant::now();
    while said(&home, &["list"]).code != Some(0) {
        assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "it does not answer");
    }
    assert_eq!(said(&home, &["run", "small"]).code, Some(0));
    let address = std::fs::read_to_string(home.path().join("data/admin.addr")).unwrap();
    let metrics = Command::new("curl").args(["-s", &format!("http://{}/metrics", address.trim())]).output();
    if let Ok(metrics) = metrics {
        let metrics = String::from_utf8(metrics.stdout).unwrap();
        assert!(metrics.contains("poller_log_lines_dropped_total 0\n"), "{metrics}");
    }
    let began = Instant::now();
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait().unwrap()));
    let status = ended.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it does not end"));
    assert!(status.success() && began.elapsed() < Duration::from_secs(10), "{status}, {:?}", began.elapsed());
    // All of it had room, and nothing of it was lost but what came too late.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text.trim(), "", "it wrote into a pipe that was full");
}

#[test]
fn a_pipe_in_the_place_of_a_file_costs_the_reload_that_meets_it_and_nothing_else() {
    let home = Home::with_jobs(&[&format!("id: one, kind: chatty, {HOURLY}")]);
    home.write("team.yaml", "pollers: { jobs: [] }\n");
    home.private("accounts.yaml", "agents: {}\n");
    home.private("secret", "x\n");
    home.write("ill/nexo-plugin.toml", "");
    let manifest = home.path().join("ill/nexo-plugin.toml");
    let extra = "  include: team.yaml\n  credentials: accounts.yaml\n";
    home.jobs(extra, &[&format!("id: one, kind: chatty, {HOURLY}, config: {{ secret: '${{file:secret}}' }}")]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let mut daemon = home.boot_with(daemon(&home));
    for name in ["team.yaml", "accounts.yaml", "secret"] {
        let path = home.path().join(name);
        let kept = std::fs::read_to_string(&path).unwrap();
        fifo(&path);
        let reload = said(&home, &["reload"]);
        let told = format!("{}{}", reload.stdout, reload.stderr);
        assert!(told.contains(name) && told.contains("it is a pipe, and must be a regular file"), "{name}: {reload:?}");
        assert_eq!(said(&home, &["show", "one"]).code, Some(0), "what ran goes on");
        std::fs::remove_file(&path).unwrap();
        home.private(name, &kept);
    }
    home.write("pollers.yaml", &text.replace("plugins: [ ", "plugins: [ ill, "));
    fifo(&manifest);
    let reload = said(&home, &["reload"]);
    assert!(reload.stdout.contains("ill: no executable and no nexo-plugin.toml"), "{reload:?}");
    fifo(&home.path().join("pollers.yaml"));
    daemon.signal("HUP");
    daemon.wait_for_log("it is a pipe, and must be a regular file");
    let began = Instant::now();
    daemon.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let start = said(&home, &["run"]);
    assert!(start.code == Some(3) && start.stderr.contains("it is a pipe"), "{start:?}");
}

#[test]
fn a_device_without_end_and_a_file_of_a_terabyte_are_not_read() {
    let home = Home::with_jobs(&[]);
    let huge = home.write("huge.yaml", "");
    File::options().write(true).open(huge).unwrap().set_len(1 << 40).unwrap();
    for (name, told) in
        [("/dev/zero", "it is a device"), ("huge.yaml", "it has more than"), ("/proc/version", "of the kernel")]
    {
        home.jobs(&format!("  include: {name}\n"), &[]);
        let check = said(&home, &["check"]);
        assert!(check.code == Some(3) && check.stdout.contains(told), "{name}: {check:?}");
    }
}

#[test]
fn a_variable_that_is_not_text_is_no_reason_not_to_start() {
    let home = Home::with_jobs(&[&format!("id: one, kind: chatty, {HOURLY}")]);
    let mut command = daemon(&home);
    command.env("ODD", std::ffi::OsStr::from_bytes(b"\xff\xfe")).env(std::ffi::OsStr::from_bytes(b"ODD_\xff"), "x");
    home.boot_with(command).stop();
}

#[test]
fn job_state_is_not_kept_where_everybody_may_write() {
    let home = Home::with_jobs(&[]);
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    for (args, code) in [(["check"], 3), (["run"], 1)] {
        let refused = said(&home, &args);
        let told = format!("{}{}", refused.stdout, refused.stderr);
        assert_eq!(refused.code, Some(code), "{told}");
        assert!(told.contains("(mode 777)") && told.contains("`chmod go-w "), "{told}");
    }
    std::fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    home.boot().stop();
}

#[test]
fn a_daemon_that_waits_for_a_server_at_its_start_still_ends_when_it_is_told_to() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let home = Home::with_jobs(&[]);
    home.jobs(&format!("  broker: nats://{}\n", silent.local_addr().unwrap()), &[]);
    let mut child = daemon(&home).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // It has come to the server, and hears nothing of it.
    let _connection = silent.accept().unwrap();
    let began = Instant::now();
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Holds a file so that whoever opens it waits, as on a file system that does not answer, until this is dropped.
struct Hung(std::process::Child);

impl Hung {
    fn at(path: &Path) -> Self {
        let lease = "import fcntl, os, signal, sys\n\
            signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
            fcntl.fcntl(os.open(sys.argv[1], os.O_RDONLY), fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
            print('held', flush=True)\n\
            sys.stdin.read()\n";
        let mut python = Command::new("python3");
        python.args(["-c", lease]).arg(path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().unwrap();
        let mut said = [0; 5];
        let held = child.stdout.as_mut().unwrap().read_exact(&mut said);
        assert!(held.is_ok(), "{} can have no lease: is its file system one of the kernel's own?", path.display());
        assert_eq!(&said, b"held\n");
        Self(child)
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_system_that_does_not_answer_costs_the_plugin_and_the_file_that_are_on_it_and_nothing_else() {
    let home = Home::with_jobs(&[]);
    let plugin = fixtures::chatty().get_program().to_owned();
    let manifest = Command::new(&plugin).arg("--print-manifest").output().unwrap().stdout;
    home.write("hung/nexo-plugin.toml", &String::from_utf8(manifest).unwrap());
    let program = home.path().join("hung/fixture_chatty");
    std::fs::copy(plugin, &program).unwrap();
    home.write(
        "pollers.yaml",
        "pollers:\n  admin: { bind: \"127.0.0.1:0\" }\n  plugins: hung\n  include: team.yaml\n  jobs: []\n",
    );
    let team = home.write("team.yaml", "pollers: { jobs: [] }\n");
    let held = Hung::at(&program);
    let mut child = daemon(&home).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while said(&home, &["list"]).code != Some(0) {
        assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "it does not answer");
    }
    let ready = said(&home, &["ready"]);
    assert!(ready.stdout.contains("plugin `chatty` is starting"), "{ready:?}");
    let hung = Hung::at(&team);
    let reload = said(&home, &["reload"]);
    assert!(reload.stderr.contains("team.yaml cannot be read"), "{reload:?}");
    let began = Instant::now();
    assert!(Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((held, hung));
}
