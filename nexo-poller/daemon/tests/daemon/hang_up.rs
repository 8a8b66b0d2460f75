//! Callers of the admin API who do not wait for the answer.

use std::io::Read as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use fixtures::chatty;
use serde_json::Value;

use crate::home::{Daemon, Home};

/// Puts a copy of the plugin at `path`, at once, as an installer does.
fn install(path: &Path) {
    let draft = path.with_extension("new");
    std::fs::copy(chatty().get_program(), &draft).unwrap();
    std::fs::rename(draft, path).unwrap();
}

fn plugins(answer: &Value) -> &[Value] {
    answer["plugins"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A daemon whose plugin takes seconds to end, because a tick blocks it, and what callers who hold the token send.
struct Blocked {
    home: Home,
    daemon: Daemon,
    program: PathBuf,
    headers: [String; 2],
    /// Whoever asked for the tick.
    _run: TcpStream,
}

impl Blocked {
    fn boot() -> Self {
        let job = "id: blocks, kind: chatty, schedule: { every: 1h }, config: { do: block }";
        let home = Home::with_jobs(&[job]);
        let program = home.path().join("fixture_chatty");
        install(&program);
        let file = std::fs::read_to_string(home.path().join("pollers.yaml")).unwrap();
        let plugin = chatty().get_program().to_str().unwrap().to_owned();
        home.write("pollers.yaml", &file.replace(&plugin, program.to_str().unwrap()));
        let daemon = home.boot();
        let headers = [format!("Host: {}", daemon.address), format!("Authorization: Bearer {}", home.token())];
        let run = daemon.send("POST /admin/pollers/blocks/run", &headers.each_ref().map(String::as_str), "");
        daemon.wait_for_answer("/admin/pollers/blocks", |job| job["phase"] == "running");
        Self { home, daemon, program, headers, _run: run }
    }

    /// A reload that is replacing the plugin: it is away.
    fn replace(&self) -> TcpStream {
        install(&self.program);
        let reload = self.reload();
        self.daemon.wait_for_answer("/admin/plugins", |answer| plugins(answer).is_empty());
        reload
    }

    fn reload(&self) -> TcpStream {
        self.daemon.send("POST /admin/pollers/reload", &self.headers.each_ref().map(String::as_str), "")
    }

    /// The plugin's process once it serves.
    fn process(&self) -> Value {
        let is_up = |answer: &Value| plugins(answer).first().is_some_and(|plugin| plugin["state"] == "up");
        let answer = self.daemon.wait_for_answer("/admin/plugins", is_up);
        plugins(&answer)[0]["pid"].clone()
    }
}

#[test]
fn a_plugin_is_replaced_to_the_end_though_whoever_asked_for_it_has_hung_up() {
    let mut blocked = Blocked::boot();
    let before = blocked.process();
    drop(blocked.replace());
    assert_ne!(blocked.process(), before);
    blocked.daemon.wait_for_log("reloaded");
    assert_eq!(blocked.home.run(&["ready"]).code, Some(0));
    blocked.daemon.stop();
}

#[test]
fn a_reload_waits_for_one_that_is_under_way_and_both_are_answered() {
    let blocked = Blocked::boot();
    let (first, second) = (blocked.replace(), blocked.reload());
    let answers = [first, second].map(|mut reload| {
        let mut answer = String::new();
        reload.read_to_string(&mut answer).unwrap();
        answer
    });
    for answer in answers {
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"keep\":[\"blocks\"]"), "{answer}");
    }
    blocked.process();
    blocked.daemon.stop();
}
