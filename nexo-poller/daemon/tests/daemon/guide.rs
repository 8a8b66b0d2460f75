//! The operator's guide: its commands, run in their order against a real daemon, and what it says of others.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::home::{Home, Said};
use crate::systemd::contrib;

/// What stands above a block that this file runs.
const OURS: &str = "<!-- ci: elsewhere, tests/daemon/guide.rs runs it -->";

/// Stands in for systemd: starts and stops the daemon of this folder.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")/..
alive() { readlink "/proc/$1/exe" >"$here/alive" 2>&1; }
stop() { pid=$(cat "$here/pid"); kill -TERM "$pid"; while alive "$pid"; do :; done; }
start() {
    nexo-poller run >>"$here/log" 2>&1 &
    echo $! >"$here/pid"
    until nexo-poller ready >"$here/said" 2>&1; do alive "$!" || { cat "$here/log" >&2; exit 1; }; done
}
case "$1 $2" in
"start nexo-poller") start ;;
"stop nexo-poller") stop ;;
"restart nexo-poller") stop; start ;;
*) echo "no such thing: $*" >&2; exit 1 ;;
esac
"#;

/// A machine with the service of the guide.
struct Machine(Home);

impl Machine {
    fn new() -> Self {
        let home = Home::with_jobs(&["id: ana_jira, kind: chatty, schedule: { every: 1h }, config: { do: count }"]);
        let stub = home.write("bin/systemctl", SYSTEMCTL);
        std::fs::set_permissions(stub, PermissionsExt::from_mode(0o755)).unwrap();
        Self(home)
    }

    fn run(&self, commands: &str) -> Said {
        let commands = commands.replace("/var/lib/nexo-poller", &self.0.path().join("data").display().to_string());
        let program = Path::new(env!("CARGO_BIN_EXE_nexo-poller")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-euc", &commands]).current_dir(self.0.path()).env_remove("RUST_LOG");
        shell.env("PATH", format!("{}:{}:{path}", self.0.path().join("bin").display(), program.display()));
        shell.env("NEXO_POLLERS", self.0.path().join("pollers.yaml"));
        shell.output().unwrap().into()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.0.path().join("pid")) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).output();
        }
    }
}

/// The `sh` blocks with the line above each.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    let mut above = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            found.push((above, lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n")));
        }
        above = line;
    }
    found
}

#[test]
fn the_guide_is_followed_to_its_end() {
    let guide = contrib("../docs/operate.md");
    let (ours, others): (Vec<_>, Vec<_>) = blocks(&guide).into_iter().partition(|(above, _)| *above == OURS);
    assert_eq!((ours.len() > 7, others.len()), (true, 3), "what is not run here needs a good reason: {others:?}");
    let machine = Machine::new();
    let said = machine.run("systemctl start nexo-poller");
    assert_eq!(said.code, Some(0), "{said:?}");
    for (_, commands) in ours {
        let said = machine.run(&commands);
        assert_eq!(said.code, Some(0), "{commands}\n{said:?}");
        if commands.contains("/backup.db --force") {
            assert_eq!(machine.run("nexo-poller run ana_jira").code, Some(0));
            assert_eq!(machine.0.cursor("ana_jira").as_deref(), Some(b"2".as_slice()));
        }
    }
    // The block that restores brought back what the block that backs up had copied.
    assert_eq!(machine.0.cursor("ana_jira").as_deref(), Some(b"1".as_slice()));
    let said = machine.run("systemctl stop nexo-poller");
    assert_eq!(said.code, Some(0), "{said:?}");
}

#[test]
fn every_command_that_the_guide_names_exists() {
    let home = Home::with_jobs(&[]);
    let guide = contrib("../docs/operate.md");
    let named = guide.split("nexo-poller ").skip(1).filter_map(|rest| {
        rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next().filter(|word| !word.is_empty())
    });
    // After "nexo-poller " in sentences and in other programs' commands.
    let not_ours = ["-f", "--init", "-n", "--features", "is", "runs"];
    let named: BTreeSet<&str> = named.filter(|word| !not_ours.contains(word) && !word.starts_with('-')).collect();
    assert!(named.len() > 12, "{named:?}");
    for command in named {
        let said = home.run(&[command, "--help"]);
        assert_eq!(said.code, Some(0), "`nexo-poller {command}`: {said:?}");
    }
}

#[test]
fn the_exit_codes_of_the_guide_are_those_of_the_program() {
    let home = Home::with_jobs(&[]);
    let help = home.run(&["--help"]).stdout;
    let guide = contrib("../docs/operate.md");
    let rows = guide.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        Some((cells.next()?.parse::<u8>().ok()?, cells.next()?.replace('`', "")))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 7);
    for (code, meaning) in rows {
        let line = help.lines().find(|line| line.trim().starts_with(&format!("{code}  "))).unwrap();
        assert_eq!(line.trim().trim_start_matches(|c: char| c.is_ascii_digit()).trim(), meaning);
    }
}
