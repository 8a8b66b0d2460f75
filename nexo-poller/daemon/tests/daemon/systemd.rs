//! What a service manager is told by the daemon, over a real socket; and the unit that comes with it.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::home::{Home, PATIENCE};

const HOURLY: &str = "schedule: { every: 1h }";

/// A service manager's ear.
struct Ear {
    socket: UnixDatagram,
    path: PathBuf,
    heard: Vec<String>,
}

impl Ear {
    fn in_home(home: &Home) -> Self {
        let path = home.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path, heard: Vec::new() }
    }

    fn command(&self, home: &Home, watchdog_micros: Option<u64>) -> Command {
        let mut command = home.command(&["run"]);
        command.env("NOTIFY_SOCKET", &self.path).env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
        if let Some(micros) = watchdog_micros {
            command.env("WATCHDOG_USEC", micros.to_string());
        }
        command
    }

    /// The next message that holds `wanted`.
    fn wait_for(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut buffer = [0; 4096];
            let received = self.socket.recv(&mut buffer);
            let length = received.unwrap_or_else(|error| panic!("`{wanted}`: {error}; heard: {:?}", self.heard));
            let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
            self.heard.push(message.clone());
            if message.contains(wanted) {
                return message;
            }
            assert!(Instant::now() < deadline, "`{wanted}` was not said; heard: {:?}", self.heard);
        }
    }
}

#[test]
fn a_service_manager_hears_of_the_start_a_reload_and_the_end() {
    let home = Home::with_jobs(&[&format!("id: one, kind: chatty, {HOURLY}")]);
    let mut ear = Ear::in_home(&home);
    let daemon = home.boot_with(ear.command(&home, None));
    assert_eq!(ear.wait_for("READY=1"), "READY=1\nSTATUS=1 job, 1 plugin\n");
    assert_eq!(ear.heard.len(), 1, "it is ready once its plugins are: {:?}", ear.heard);
    daemon.signal("HUP");
    assert!(ear.wait_for("RELOADING=1").contains("\nMONOTONIC_USEC="));
    ear.wait_for("READY=1");
    // The same by command, and where the file is wrong.
    home.write("pollers.yaml", "pollers: 7\n");
    assert_eq!(daemon.http("POST /admin/pollers/reload", &bearer(&home, &daemon.address), "").0, 422);
    ear.wait_for("RELOADING=1");
    ear.wait_for("READY=1");
    assert!(!ear.heard.iter().any(|message| message.contains("WATCHDOG")), "nobody asked: {:?}", ear.heard);
    daemon.stop();
    ear.wait_for("STOPPING=1");
}

fn bearer(home: &Home, address: &str) -> [&'static str; 2] {
    let header = |text: String| -> &'static str { text.leak() };
    [header(format!("Host: {address}")), header(format!("Authorization: Bearer {}", home.token()))]
}

#[test]
fn a_watchdog_is_fed_and_the_status_says_what_is_wrong() {
    let home = Home::with_jobs(&[&format!("id: one, kind: chatty, {HOURLY}")]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("plugins: [ ", "plugins: [ ill, "));
    let manifest = "manifest_version = 2\n[plugin]\nid = \"ill\"\nversion = \"0.1.0\"\nname = \"ill\"\n\
                    [plugin.entrypoint]\ncommand = \"/bin/false\"\n[plugin.poller]\nkinds = [\"ill\"]\n\
                    broker_topic_prefix = \"plugin.poller.ill\"\n";
    home.write("ill/nexo-plugin.toml", manifest);
    let mut ear = Ear::in_home(&home);
    let daemon = home.boot_with(ear.command(&home, Some(100_000)));
    let ready = ear.wait_for("READY=1");
    assert!(ready.contains("STATUS=plugin `ill` is "), "{ready}");
    for _ in 0..3 {
        ear.wait_for("WATCHDOG=1");
    }
    daemon.stop();
}

#[test]
fn a_service_manager_that_does_not_listen_costs_a_warning() {
    let home = Home::with_jobs(&[]);
    let ear = Ear::in_home(&home);
    std::fs::remove_file(&ear.path).unwrap();
    let mut daemon = home.boot_with(ear.command(&home, Some(100_000)));
    daemon.wait_for_log("the service manager of NOTIFY_SOCKET cannot be told");
    daemon.stop();
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let home = Home::with_jobs(&[]);
    let mut ear = Ear::in_home(&home);
    let mut command = ear.command(&home, Some(100_000));
    command.env("WATCHDOG_PID", "1");
    let daemon = home.boot_with(command);
    ear.wait_for("READY=1");
    daemon.stop();
    ear.wait_for("STOPPING=1");
    assert!(!ear.heard.iter().any(|message| message.contains("WATCHDOG")), "{:?}", ear.heard);
}

/// `LoadCredential=` with an access control list: the group's bits are the list's mask.
#[test]
fn credentials_that_systemd_hands_over_are_read_as_it_leaves_them() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with_jobs(&[]);
    home.jobs("  credentials: ${CREDENTIALS_DIRECTORY:-nowhere}/credentials.yaml\n", &[]);
    let file = home.write("handed/credentials.yaml", "agents: { ana: { telegram: { account_id: a } } }\n");
    let check = |directory: &str| {
        let mut check = home.command(&["check"]);
        let said: crate::home::Said =
            check.env("CREDENTIALS_DIRECTORY", home.path().join(directory)).output().unwrap().into();
        said
    };
    for (mode, code) in [(0o400, 0), (0o440, 0), (0o444, 3), (0o460, 3)] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        let said = check("handed");
        assert_eq!(said.code, Some(code), "{mode:o}: {said:?}");
    }
    // Anywhere else, a group that may read is one too many.
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o440)).unwrap();
    home.jobs("  credentials: handed/credentials.yaml\n", &[]);
    assert_eq!(check("elsewhere").code, Some(3));
}

/// A file of the folder `contrib`.
pub(crate) fn contrib(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contrib").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether systemd itself takes the unit is looked at by `cargo xtask check service`, which needs systemd.
#[test]
fn the_unit_says_what_the_daemon_does() {
    let unit = contrib("nexo-poller.service");
    let mut values = std::collections::BTreeMap::<&str, Vec<&str>>::new();
    for line in unit.lines().filter(|line| !line.starts_with('#')) {
        if let Some((key, value)) = line.split_once('=') {
            values.entry(key).or_default().push(value);
        }
    }
    let only = |key: &str| match values.get(key).map(Vec::as_slice) {
        Some([value]) => *value,
        other => panic!("{key}: {other:?}"),
    };
    assert_eq!(only("Type"), "notify");
    // A wrong file is not mended by starting again: exit codes 2 and 3 as `--help` has them.
    assert_eq!(only("RestartPreventExitStatus"), "2 3");
    // The daemon ends by itself within 10 seconds.
    assert!(only("TimeoutStopSec").parse::<u64>().unwrap() > 10);
    for key in ["DynamicUser", "StateDirectory", "ProtectSystem", "NoNewPrivileges", "WatchdogSec", "ExecReload"] {
        only(key);
    }
    let home = Home::with_jobs(&[]);
    for key in ["ExecStart", "ExecReload"] {
        let words: Vec<&str> = only(key).split_whitespace().collect();
        assert_eq!(words[0], "/usr/local/bin/nexo-poller");
        let said = home.run(&[&words[1..], &["--help"]].concat());
        assert_eq!(said.code, Some(0), "{key}: {said:?}");
    }
    // What its comment asks of the file can be read, by the daemon and by commands that were given no credentials.
    let asked = unit.lines().filter_map(|line| line.strip_prefix("#   ")).map(|line| format!("  {line}\n"));
    home.jobs(&asked.collect::<String>(), &[]);
    let said = home.run(&["list"]);
    assert_eq!(said.code, Some(6), "{said:?}");
    assert!(only("Environment").starts_with("NEXO_POLLERS="), "{unit}");
}
