//! The daemon's start and end: what it refuses, what it survives, what it leaves behind.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::home::{Home, PATIENCE};
use fixtures::chatty;

const HOURLY: &str = "schedule: { every: 1h }";

fn manifest(id: &str, kind: &str) -> String {
    let program = chatty().get_program().to_string_lossy().into_owned();
    format!(
        "manifest_version = 2\n[plugin]\nid = \"{id}\"\nversion = \"0.1.0\"\nname = \"{id}\"\n\
         [plugin.entrypoint]\ncommand = \"{program}\"\n[plugin.poller]\nkinds = [\"{kind}\"]\n\
         broker_topic_prefix = \"plugin.poller.{id}\"\n"
    )
}

#[test]
fn a_bad_job_is_left_out_and_its_siblings_run() {
    let home = Home::with_jobs(&[
        "id: good, kind: chatty, schedule: { every: 1s }, config: { do: publish }",
        "id: stranger, kind: chaty, schedule: { every: 1h }",
        "id: never, kind: chatty, schedule: { cron: '0 0 30 2 *' }",
    ]);
    let mut daemon = home.boot();
    daemon.wait_for_out("ops ← hello");
    daemon.wait_for_log("no plugin offers the kind `chaty`; did you mean `chatty`?");
    let list = home.json(&["list"]);
    assert_eq!(list["pollers"].as_array().unwrap().len(), 1);
    assert_eq!(list["refused"].as_array().unwrap().len(), 2);
    let shown = home.run(&["show", "never"]);
    assert_eq!(shown.code, Some(3));
    assert!(shown.stderr.contains("never fires"), "{shown:?}");
    daemon.stop();
}

#[test]
fn a_config_that_its_poller_refuses_is_found_by_check_and_pauses_the_job_with_the_reason() {
    let job = format!("id: bad, kind: chatty, {HOURLY}, config: {{ do: nonsense, secret: hunter2hunter2 }}");
    let home = Home::with_jobs(&[&job]);
    let checked = home.run(&["check"]);
    assert_eq!(checked.code, Some(3));
    assert!(checked.stdout.contains("pollers.yaml:5:") && checked.stdout.contains("unknown variant"), "{checked:?}");
    assert!(!format!("{checked:?}").contains("hunter2"));
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "bad"]).code, Some(3));
    let shown = home.json(&["show", "bad"]);
    assert_eq!(shown["phase"], "quarantined");
    daemon.stop();
}

#[test]
fn two_plugins_with_one_kind_fail_the_boot_with_both_names() {
    let home = Home::with_jobs(&[]);
    home.write("plugins/one/nexo-plugin.toml", &manifest("one", "same"));
    home.write("plugins/two/nexo-plugin.toml", &manifest("two", "same"));
    home.write("pollers.yaml", "pollers:\n  plugins: plugins\n  jobs: []\n");
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("kind `same` is declared by plugin `one` and by plugin `two`"), "{said:?}");
}

#[test]
fn a_broken_file_does_not_boot_and_says_where_it_breaks() {
    let home = Home::with_jobs(&[]);
    home.write("pollers.yaml", "pollers:\n  brakes: 1\n  jobs: []\n");
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("pollers.yaml:2:3: unknown key `brakes`"), "{said:?}");
    assert_eq!(home.run(&["check", "-c", "elsewhere.yaml"]).code, Some(3));
}

#[test]
fn a_port_in_use_is_one_sentence_that_says_what_to_change() {
    let home = Home::with_jobs(&[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    home.write("pollers.yaml", &format!("pollers:\n  admin: {{ bind: \"{address}\" }}\n  jobs: []\n"));
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains(&format!("the admin address {address} is in use")), "{said:?}");
    assert!(said.stderr.contains("127.0.0.1:0"), "{said:?}");
}

#[test]
fn state_that_cannot_be_used_is_reported_and_left_untouched() {
    let home = Home::with_jobs(&[]);
    home.write("data/poller.db", "this is no database, it is somebody's diary");
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("poller.db"), "{said:?}");
    let text = std::fs::read_to_string(home.path().join("data/poller.db")).unwrap();
    assert_eq!(text, "this is no database, it is somebody's diary");
    home.write("file", "");
    home.jobs("  state_db: file/poller.db\n", &[]);
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("`state_db` cannot be made"), "{said:?}");
}

#[test]
fn state_that_another_program_locks_is_waited_for_and_then_reported() {
    let home = Home::with_jobs(&[]);
    home.boot().stop();
    let lock = rusqlite::Connection::open(home.path().join("data/poller.db")).unwrap();
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;").unwrap();
    let said = home.fail_to_boot();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("lock"), "{said:?}");
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    home.boot().stop();
}

/// The limit on the size of files stands for a disk that is full: the system refuses the write in the same place.
#[test]
fn a_disk_that_is_full_stops_the_ticks_and_loses_nothing() {
    let jobs = ["one", "two", "counts"].map(|id| format!("id: {id}, kind: chatty, schedule: {{ every: 1s }}"));
    let home = Home::with_jobs(&jobs.each_ref().map(String::as_str));
    home.boot().stop();
    let run = home.command(&["run"]);
    let mut limited = std::process::Command::new("sh");
    // Enough to boot with; an ignored SIGXFSZ is what makes the write fail, and not the process.
    limited.arg("-c").arg("trap '' XFSZ; ulimit -S -f 128; exec \"$0\" \"$@\"").arg(run.get_program());
    limited.args(run.get_args()).current_dir(home.path());
    let mut daemon = home.boot_with(limited);
    let said = daemon.wait_for_log("no tick starts until the job state can be written again");
    assert!(said.contains("the disk may be full"), "{said}");
    let (status, body) = daemon.get("/readyz");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("no tick starts: the job state cannot be written") && body.contains("disk"), "{body}");
    let said = home.run(&["ready"]);
    assert!(said.code == Some(1) && said.stdout.starts_with("not ready\nno tick starts: the job state"), "{said:?}");
    assert_eq!(daemon.get("/healthz").0, 200, "starting it again would not help");
    let before = home.cursor("counts");
    daemon.widen_file_limit();
    daemon.wait_for_log("the job state can be written again; ticks go on");
    assert_eq!(daemon.get("/readyz").0, 200);
    let count = |cursor: Option<Vec<u8>>| String::from_utf8(cursor.unwrap()).unwrap().parse::<u64>().unwrap();
    // Its schedule may have started it already.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while home.run(&["run", "counts"]).code != Some(0) {
        assert!(std::time::Instant::now() < deadline, "{}", daemon.heard_log);
    }
    assert!(count(home.cursor("counts")) > count(before));
    daemon.stop();
}

#[test]
fn a_plugin_that_is_missing_or_ends_at_once_hurts_only_its_own_jobs() {
    let good = format!("id: good, kind: chatty, {HOURLY}, config: {{ do: publish }}");
    let ill = format!("id: ill, kind: ill, {HOURLY}");
    let home = Home::with_jobs(&[&good, &ill]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("plugins: [ ", "plugins: [ nowhere, ill, "));
    home.write(
        "ill/nexo-plugin.toml",
        &manifest("ill", "ill").replace("command = \"", "command = \"/bin/false\" # \""),
    );
    let mut daemon = home.boot();
    daemon.wait_for_log("nowhere");
    daemon.wait_for_log("plugin=\"ill\"");
    assert_eq!(home.run(&["run", "good"]).code, Some(0));
    let said = home.run(&["run", "ill"]);
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.stdout.contains("plugin `ill`"), "{said:?}");
    daemon.stop();
}

#[test]
fn sigterm_cancels_the_ticks_of_a_plugin_and_their_answers_are_committed() {
    let home = Home::with_jobs(&["id: polite, kind: chatty, schedule: { every: 1s }, config: { do: hang_politely }"]);
    let mut daemon = home.boot();
    daemon.wait_for_log("waiting");
    daemon.stop();
    assert_eq!(home.cursor("polite").as_deref(), Some(b"\"ended politely\"".as_slice()));
}

#[test]
fn sigterm_ends_a_daemon_with_a_hanging_tick_within_ten_seconds_and_leaves_no_process() {
    let home = Home::with_jobs(&["id: hang, kind: chatty, schedule: { every: 1s }, config: { do: hang }"]);
    let mut daemon = home.boot();
    while home.json(&["show", "hang"])["phase"] != "running" {}
    let plugins = home.json(&["plugins"]);
    let pid = plugins["plugins"][0]["pid"].as_u64().unwrap();
    let asked = Instant::now();
    daemon.signal("TERM");
    assert!(daemon.ended().success(), "{}", daemon.heard_log);
    // The daemon bounds itself to 9.5 s; the rest is for a busy machine.
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
    let alive = Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    assert!(!alive.status.success(), "the plugin {pid} outlived its daemon");
    assert!(!home.path().join("data/admin.addr").exists());
}

#[test]
fn a_second_signal_ends_the_daemon_at_once() {
    let home = Home::with_jobs(&["id: hang, kind: chatty, schedule: { every: 1s }, config: { do: hang }"]);
    let mut daemon = home.boot();
    while home.json(&["show", "hang"])["phase"] != "running" {}
    daemon.signal("TERM");
    daemon.wait_for_log("stopping");
    // It waits for a tick that listens to nothing, for seconds.
    daemon.signal("INT");
    assert_eq!(daemon.ended().code(), Some(1));
}

#[test]
fn what_a_plugin_has_forked_does_not_outlive_a_daemon_that_is_killed() {
    for lifecycle in ["long_lived", "ephemeral"] {
        // As nobody else on this machine sleeps.
        let seconds = format!("{}.{}", 100_000 + std::process::id(), lifecycle.len());
        let job =
            format!("id: fork, kind: chatty, schedule: {{ every: 1s }}, config: {{ do: fork, secret: \"{seconds}\" }}");
        let home = Home::with_jobs(&[&job]);
        let manifest = chatty().arg("--print-manifest").output().unwrap().stdout;
        let manifest = String::from_utf8(manifest).unwrap();
        let program = chatty().get_program().to_string_lossy().into_owned();
        let manifest = manifest.replace("command = \"fixture_chatty\"", &format!("command = \"{program}\""));
        let manifest = manifest.replace("long_lived", lifecycle);
        home.write("fork/nexo-plugin.toml", &manifest);
        let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
        home.write("pollers.yaml", &text.replace(&format!("plugins: [ {program} ]"), "plugins: [ fork ]"));
        let mut daemon = home.boot();
        daemon.wait_for_log("forked");
        let wait_for = |count, otherwise: &str| {
            let deadline = Instant::now() + PATIENCE;
            while sleepers(&seconds) != count {
                assert!(Instant::now() < deadline, "{lifecycle}: {otherwise}");
                std::thread::yield_now();
            }
        };
        // The plugin goes on before the kernel shows the child's new command line.
        wait_for(1, "no child came");
        drop(daemon); // SIGKILL
        wait_for(0, "the child outlived its plugin and its daemon");
    }
}

#[test]
fn a_plugin_that_is_not_there_is_a_reason_not_to_be_ready_until_a_reload_finds_it() {
    let home = Home::with_jobs(&[&format!("id: first, kind: chatty, {HOURLY}")]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    home.write("pollers.yaml", &text.replace("plugins: [ ", "plugins: [ absent, "));
    let mut daemon = home.boot();
    assert!(daemon.wait_for_log("plugins are settled").contains("failed=1"));
    let said = home.run(&["ready"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("absent: No such file or directory"), "{said:?}");
    for reload in [&["reload", "--plan"][..], &["reload"]] {
        let said = home.run(reload);
        assert!(said.code == Some(3) && said.stdout.contains("absent: No such file or directory"), "{said:?}");
    }
    home.write("pollers.yaml", &text);
    assert_eq!(home.run(&["reload"]).code, Some(0));
    assert_eq!(home.run(&["ready"]).code, Some(0));
    daemon.stop();
}

/// How many processes sleep for `seconds`.
fn sleepers(seconds: &str) -> usize {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|entry| std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
        .count()
}

#[test]
fn a_plugin_that_serves_is_no_reason_not_to_be_ready_while_its_file_is_replaced() {
    let home = Home::with_jobs(&[&format!("id: first, kind: chatty, {HOURLY}")]);
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let plugin = text.split("plugins: [ ").nth(1).unwrap().split(" ]").next().unwrap();
    home.write(
        "folder/chatty",
        &format!("#!/bin/sh\ntest \"$1\" = --print-manifest -a -e broken && exit 3\nexec {plugin} \"$@\"\n"),
    );
    std::fs::set_permissions(home.path().join("folder/chatty"), PermissionsExt::from_mode(0o755)).unwrap();
    home.write("pollers.yaml", &text.replace(plugin, "folder/chatty"));
    let daemon = home.boot();
    home.write("broken", "");
    let said = home.run(&["reload"]);
    assert!(said.code == Some(3) && said.stdout.contains("folder/chatty: no nexo-plugin.toml"), "{said:?}");
    assert_eq!(home.run(&["ready"]).code, Some(0), "it serves as before");
    assert_eq!(home.run(&["run", "first"]).code, Some(0));
    daemon.stop();
}

#[test]
fn a_file_that_changes_during_a_reload_is_read_again_after_it() {
    let home = Home::with_jobs(&[&format!("id: first, kind: chatty, {HOURLY}")]);
    // A plugin that takes as long to introduce itself as the test wants.
    home.write("slow/slow", "#!/bin/sh\ntouch asked\nwhile test ! -e go; do sleep 0.02; done\nexit 3\n");
    std::fs::set_permissions(home.path().join("slow/slow"), PermissionsExt::from_mode(0o755)).unwrap();
    let mut daemon = home.boot();
    let text = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
    let text = text.replace("plugins: [ ", "plugins: [ slow, ");
    home.write("pollers.yaml", &text);
    daemon.signal("HUP");
    let deadline = Instant::now() + PATIENCE;
    while !home.path().join("asked").exists() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    home.write("pollers.yaml", &format!("{text}    - {{ agent: ana, id: second, kind: chatty, {HOURLY} }}\n"));
    daemon.signal("HUP");
    home.write("go", "");
    daemon.wait_for_log("add=1");
    assert_eq!(home.json(&["list"])["pollers"].as_array().unwrap().len(), 2);
    daemon.stop();
}

#[test]
fn a_killed_daemon_resumes_from_its_cursors() {
    let job = format!("id: count, kind: chatty, {HOURLY}, config: {{ do: count }}");
    let home = Home::with_jobs(&[&job]);
    let daemon = home.boot();
    for _ in 0..3 {
        assert_eq!(home.run(&["run", "count"]).code, Some(0));
    }
    drop(daemon); // SIGKILL
    assert_eq!(home.cursor("count").as_deref(), Some(b"3".as_slice()));
    let daemon = home.boot();
    assert_eq!(home.run(&["run", "count"]).code, Some(0));
    assert_eq!(home.cursor("count").as_deref(), Some(b"4".as_slice()));
    daemon.stop();
}

#[test]
fn the_example_of_a_credentials_file_is_one() {
    let home = Home::with_jobs(&[]);
    home.jobs("  credentials: accounts.yaml\n", &[]);
    home.private("accounts.yaml", include_str!("../../../../docs/credentials.example.yaml"));
    home.private("tracker.token", "t");
    let mut check = home.command(&["check"]);
    let said: crate::home::Said =
        check.env("TELEGRAM_TOKEN", "t").env("ANTHROPIC_API_KEY", "k").output().unwrap().into();
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn the_example_file_checks_but_for_the_plugins_that_are_not_there() {
    let home = Home::with_jobs(&[]);
    home.write("pollers.yaml", include_str!("../../../../docs/pollers.example.yaml"));
    let checked = home.json(&["check"]);
    let problems = checked["problems"].as_array().unwrap();
    assert!(!problems.is_empty());
    for problem in problems {
        let message = problem["message"].as_str().unwrap();
        assert!(message.contains("`plugins`") || message.contains("no plugin offers the kind"), "{message}");
    }
}

#[test]
fn a_built_in_kind_needs_no_plugin_is_checked_and_reaches_this_machine_only_where_it_may() {
    let server = nexo_poller_testkit::http::HttpReplay::of(nexo_poller_testkit::http::Recording::from([
        nexo_poller_testkit::http::Exchange::get("/").json(&serde_json::json!([{"id": 1, "title": "It works"}])),
    ]));
    let job = |id: &str, rest: &str| {
        format!(
            "id: {id}, kind: webhook_poll, {HOURLY}, config: {{ url: \"{}\", message_template: \"{{title}}\", \
             deliver: {{ channel: console, to: ops }}, {rest} }}",
            server.url("/")
        )
    };
    let (open, shut, bad) = (job("open", "allow_private_networks: true"), job("shut", ""), job("bad", "methud: GET"));
    let home = Home::with_jobs(&[&open, &shut, &bad]);
    let checked = home.run(&["check"]);
    assert!(checked.stdout.contains("kind `webhook_poll` refuses the config: `methud`: unknown field"), "{checked:?}");
    let mut daemon = home.boot();
    assert_eq!(home.run(&["run", "open"]).code, Some(0));
    daemon.wait_for_out("ops ← It works");
    assert_eq!(home.run(&["run", "shut"]).code, Some(4));
    assert_eq!(server.asked().len(), 1);
    daemon.stop();
}

#[test]
fn a_plugin_cannot_take_a_built_in_kind() {
    let home = Home::with_jobs(&[]);
    home.write("plugins/one/nexo-plugin.toml", &manifest("one", "webhook_poll"));
    home.write("pollers.yaml", "pollers:\n  plugins: plugins\n  jobs: []\n");
    let said = home.fail_to_boot();
    assert!(said.stderr.contains("declared by plugin `nexo-poller` and by plugin `one`"), "{said:?}");
}
