//! The plugin of `docs/protocol.md`, in another language: the real daemon ticks it in each way in which a plugin can be served.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nexo_poller_testkit::NatsServer;

use crate::home::{Home, PATIENCE};

const TALLY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/tally.py");

/// A home with the plugin in `folder`, and two jobs of its kind, one of them with a config that it refuses.
fn home(folder: &str, settings: &str) -> Home {
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    assert!(python.is_ok_and(|status| status.success()), "`python3` is needed: install it (apt-get install python3)");
    let home = Home::with_jobs(&[]);
    let program = home.write(&format!("{folder}/tally.py"), &std::fs::read_to_string(TALLY).unwrap());
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    home.write(
        "pollers.yaml",
        &format!(
            "pollers:\n  admin: {{ bind: \"127.0.0.1:0\" }}\n{settings}  jobs:\n\
             \x20   - {{ id: counts, kind: tally, agent: ana, schedule: {{ every: 1h }}, config: {{ to: ops }} }}\n\
             \x20   - {{ id: wrong, kind: tally, agent: ana, schedule: {{ every: 1h }}, config: {{ to: 7 }} }}\n"
        ),
    );
    home
}

fn manifest(home: &Home, folder: &str) -> String {
    let printed = Command::new(home.path().join(folder).join("tally.py")).arg("--print-manifest").output().unwrap();
    assert!(printed.status.success(), "{printed:?}");
    String::from_utf8(printed.stdout).unwrap()
}

/// Two ticks that count, publish and ask, and one that is refused.
fn is_served(home: &Home) {
    let mut daemon = home.boot();
    for count in 1..=2 {
        let deadline = Instant::now() + PATIENCE;
        // A copy that was started just now may not listen yet.
        while home.run(&["run", "counts"]).code != Some(0) {
            assert!(Instant::now() < deadline, "{:?}\n{}", home.run(&["run", "counts"]), daemon.heard_log);
        }
        daemon.wait_for_out(&format!("ops ← tick {count}"));
        assert_eq!(home.cursor("counts"), Some(count.to_string().into_bytes()));
    }
    let refused = home.run(&["run", "wrong"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stdout.contains("config.to must be text"), "{refused:?}");
    assert_eq!(daemon.heard_out.matches("ops ← tick").count(), 2, "{}", daemon.heard_out);
    daemon.stop();
}

#[test]
fn the_plugin_of_the_page_is_short_and_served_over_stdin_and_stdout() {
    let lines = std::fs::read_to_string(TALLY).unwrap().lines().count();
    assert!(lines <= 70, "{lines} lines");
    let home = home("plugins", "  plugins: plugins\n");
    let checked = home.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.stdout.contains("2 configs not checked") && checked.stdout.contains("knows no `validate`"),
        "{checked:?}"
    );
    is_served(&home);
    println!("docs/protocol/tally.py: {lines} lines, served over stdin and stdout");
}

#[test]
fn the_plugin_of_the_page_is_served_as_one_process_per_tick() {
    let home = home("plugins/tally", "  plugins: plugins\n");
    let ephemeral = manifest(&home, "plugins/tally") + "lifecycle = \"ephemeral\"\n";
    home.write("plugins/tally/nexo-plugin.toml", &ephemeral);
    is_served(&home);
    println!("docs/protocol/tally.py: served as one process per tick");
}

/// Killed when it is dropped.
struct Copy(Child);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: PathBuf, url: &str) -> Copy {
    let mut command = Command::new(program);
    command.env("NEXO_BROKER_URL", url).stdin(Stdio::null()).stdout(Stdio::null());
    Copy(command.spawn().unwrap())
}

#[test]
fn the_plugin_of_the_page_is_served_over_nats_and_its_copies_share_the_ticks() {
    let server = NatsServer::start().unwrap();
    let url = server.url();
    let home = home("elsewhere", &format!("  broker: {{ url: \"{url}\", plugins: [ manifests ] }}\n"));
    home.write("manifests/tally.toml", &manifest(&home, "elsewhere"));
    let program = home.path().join("elsewhere/tally.py");
    let _copies = [start(program.clone(), &url), start(program, &url)];
    is_served(&home);
    println!("docs/protocol/tally.py: served over NATS, two copies");
}
