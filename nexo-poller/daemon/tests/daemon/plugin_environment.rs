//! What a plugin gets of the daemon's own world, whatever it is started for.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Instant;

use fixtures::chatty;

use crate::home::{Home, PATIENCE};

/// What a daemon knows that is none of its plugins' business, as it stands in real environments.
const SECRETS: [&str; 20] = [
    "TELEGRAM_TOKEN",
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "DATABASE_URL",
    "KUBECONFIG",
    "VAULT_TOKEN",
    "CREDENTIALS_DIRECTORY",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
    "WATCHDOG_PID",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
    "USER",
    "NEXO_POLLER_ADMIN_TOKEN",
    "NEXO_BROKER_PASSWORD",
];

/// Signals 32 and 33, which nobody else can change.
const OF_THE_C_LIBRARY: u64 = 0b11 << 31;

/// Puts down what it sees, and goes on as the plugin for tests.
fn spy(home: &Home, lifecycle: &str) {
    let (seen, program) = (home.path().join("seen"), chatty().get_program().to_owned());
    let script = format!(
        "#!/bin/sh\n{{ echo \"RUN $*\"; tr '\\0' '\\n' < /proc/$$/environ | sed 's/^/ENV /'; grep SigIgn /proc/$$/status\n\
         for fd in /proc/$$/fd/*; do echo \"FD $(readlink $fd)\"; done; }} >> {}\nexec {} \"$@\"\n",
        seen.display(),
        program.display()
    );
    let path = home.write("spy/fixture_chatty", &script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let manifest = String::from_utf8(chatty().arg("--print-manifest").output().unwrap().stdout).unwrap();
    if lifecycle == "ephemeral" {
        home.write("spy/nexo-plugin.toml", &manifest.replace("long_lived", lifecycle));
    }
}

/// The program, with secrets in its environment, a descriptor that was never meant for it, and ignored signals.
fn burdened(home: &Home, args: &[&str]) -> Command {
    home.write("not-for-plugins", "secret");
    let program = home.command(args);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' HUP INT QUIT USR1 USR2 ALRM; exec \"$0\" \"$@\" 7<not-for-plugins"])
        .arg(program.get_program());
    shell.args(args).current_dir(home.path()).env_remove("NEXO_POLLERS").env_remove("RUST_LOG");
    for name in SECRETS {
        shell.env(name, format!("canary-{name}"));
    }
    shell.env("TZ", "Europe/Madrid").env("LC_TIME", "es_ES").env("https_proxy", "http://proxy:3128");
    shell.env("HANDED_OVER", "canary-handed-over").env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    shell
}

/// Whether a descriptor leads to `own`: a kind of thing, or the end of a path.
fn is(descriptor: &str, own: &str) -> bool {
    match own {
        "" => descriptor.is_empty(),
        "pipe:[" => descriptor.starts_with(own),
        path => descriptor.ends_with(path),
    }
}

#[test]
fn a_plugin_sees_no_secret_no_descriptor_and_no_ignored_signal_of_the_daemon() {
    let mut runs = BTreeSet::new();
    let mut leaks = Vec::new();
    for lifecycle in ["long_lived", "ephemeral"] {
        let home = Home::with_jobs(&["id: it, kind: chatty, schedule: { every: 1h }"]);
        spy(&home, lifecycle);
        let path = if lifecycle == "ephemeral" { "spy" } else { "spy/fixture_chatty" };
        let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
        let own = text.lines().find(|line| line.contains("plugins:")).unwrap().to_owned();
        let entry = format!("  plugins: [ {{ path: {path}, env: {{ GIVEN: \"${{HANDED_OVER}}!\" }} }} ]");
        home.write("pollers.yaml", &text.replace(&own, &entry));
        for args in [&["check"][..], &["schema"]] {
            let output = burdened(&home, args).output().unwrap();
            assert!(output.status.success(), "{args:?}: {output:?}");
        }
        let mut daemon = home.boot_with(burdened(&home, &["run"]));
        for args in [&["run", "it"][..], &["dry-run", "it"], &["reload"]] {
            let said = home.run(args);
            assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        }
        daemon.signal("TERM");
        assert!(daemon.ended().success());

        let seen = std::fs::read_to_string(home.path().join("seen")).unwrap();
        let (mut run, mut has) = ("", BTreeSet::new());
        for line in seen.lines() {
            let (what, said) = line.split_once([' ', ':']).unwrap();
            match what {
                "RUN" => {
                    let word = said.split(' ').next().unwrap();
                    run = if word.is_empty() { lifecycle } else { word };
                    runs.insert(run.to_owned());
                }
                "SigIgn" if u64::from_str_radix(said.trim(), 16).unwrap() & !OF_THE_C_LIBRARY != 0 => {
                    leaks.push(format!("{run}: ignores {said}"));
                }
                // Its three pipes, its script, and what it writes to.
                "FD" if !["", "pipe:[", "/dev/null", "/spy/fixture_chatty", "/seen"]
                    .iter()
                    .any(|own| is(said, own)) =>
                {
                    leaks.push(format!("{run}: holds {said}"));
                }
                "ENV" => {
                    let (name, value) = said.split_once('=').unwrap();
                    has.insert(name.to_owned());
                    if SECRETS.contains(&name) || value.contains("canary-") && name != "GIVEN" {
                        leaks.push(format!("{run}: sees {said}"));
                    }
                    match name {
                        "GIVEN" => assert_eq!(value, "canary-handed-over!"),
                        "TZ" => assert_eq!(value, "Europe/Madrid"),
                        "HOME" if run == lifecycle => {
                            let own = home.path().join("data/plugins/chatty/home");
                            assert_eq!(std::path::Path::new(value), own);
                            assert_eq!(std::fs::metadata(own).unwrap().permissions().mode() & 0o777, 0o700);
                        }
                        "HOME" => assert!(value.contains("nexo-plugin-home-"), "{value}"),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let allowed = [
            "GIVEN",
            "HOME",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "LC_TIME",
            "NEXO_POLLER_EPHEMERAL",
            "NEXO_POLLER_PLUGIN_ID",
            "PATH",
            "TMPDIR",
            "TZ",
            "https_proxy",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "http_proxy",
            "NO_PROXY",
            "no_proxy",
            "ALL_PROXY",
            "all_proxy",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
        ];
        let more: Vec<&String> = has.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(more.is_empty(), "{more:?}");
        assert!(has.contains("https_proxy") && has.contains("LC_TIME") && has.contains("PATH"), "{has:?}");
        // What was given is a secret of the plugin's: the log does not say it.
        assert!(!daemon.heard_log.contains("canary-handed-over"), "{}", daemon.heard_log);
    }
    let runs: Vec<&String> = runs.iter().collect();
    assert_eq!(runs, ["--print-manifest", "ephemeral", "long_lived", "schema", "validate"]);
    println!("secrets of the environment seen by a plugin: {} of {}", leaks.len(), SECRETS.len());
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn what_a_plugin_that_heeds_nothing_has_started_ends_with_a_daemon_that_is_killed() {
    // As nobody else on this machine sleeps.
    let seconds = format!("{}", 300_000 + std::process::id());
    let jobs: Vec<String> = (0..20).map(|n| format!("id: j{n}, kind: deaf, schedule: {{ every: 1s }}")).collect();
    let home = Home::with_jobs(&jobs.iter().map(String::as_str).collect::<Vec<_>>());
    let script = format!("#!/bin/sh\ntrap '' HUP TERM PIPE\nread request\nsleep {seconds} &\nwait\n");
    let path = home.write("deaf/deaf-poller", &script);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    home.write(
        "deaf/nexo-plugin.toml",
        "manifest_version = 2\n[plugin]\nid = \"deaf\"\nversion = \"0.1.0\"\nname = \"Deaf\"\ndescription = \"Heeds nothing.\"\n\
         [plugin.entrypoint]\ncommand = \"deaf-poller\"\n[plugin.poller]\nkinds = [\"deaf\"]\n\
         broker_topic_prefix = \"plugin.poller.deaf\"\nlifecycle = \"ephemeral\"\nmax_concurrent_ticks = 20\n",
    );
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let own = text.lines().find(|line| line.contains("plugins:")).unwrap().to_owned();
    home.write("pollers.yaml", &text.replace(&own, "  plugins: deaf"));
    let daemon = home.boot();
    let wait_for = |count: usize| {
        let deadline = Instant::now() + PATIENCE;
        while sleepers(&seconds) != count {
            assert!(Instant::now() < deadline, "{} of {count} are there", sleepers(&seconds));
            std::thread::yield_now();
        }
    };
    wait_for(20);
    let killed = Instant::now();
    drop(daemon); // SIGKILL
    wait_for(0);
    println!("grandchildren that outlive a killed daemon: 0 of 20, after {:.1} s", killed.elapsed().as_secs_f64());
}

/// How many processes sleep for `seconds`.
fn sleepers(seconds: &str) -> usize {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| std::fs::read_to_string(process.path().join("cmdline")).is_ok_and(|line| line == wanted))
        .count()
}

#[test]
fn a_plugin_that_others_can_change_fails_the_check_is_not_started_and_is_a_reason_not_to_be_ready() {
    let home = Home::with_jobs(&["id: it, kind: chatty, schedule: { every: 1h }"]);
    spy(&home, "long_lived");
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let own = text.lines().find(|line| line.contains("plugins:")).unwrap().to_owned();
    home.write("pollers.yaml", &text.replace(&own, "  plugins: spy"));
    let folder = home.path().join("spy");
    let open = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    open(0o777);
    let refused =
        "spy can be changed by everybody (mode 0777), and what stands there is run: close it with `chmod go-w ";
    let said = home.run(&["check"]);
    assert!(said.code == Some(3) && said.stdout.contains(refused), "{said:?}");
    let mut daemon = home.boot();
    daemon.wait_for_log(refused);
    let said = home.run(&["ready"]);
    assert!(said.code == Some(1) && said.stdout.contains(refused), "{said:?}");
    assert!(!home.path().join("seen").exists(), "it was run");
    open(0o755);
    for args in [&["reload"][..], &["ready"], &["check"]] {
        let said = home.run(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
    }
    daemon.stop();
}
