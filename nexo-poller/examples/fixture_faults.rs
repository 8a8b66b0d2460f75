//! A plugin that gets the protocol itself wrong, for the daemon's tests: its one argument says how. It speaks the
//! protocol by hand, so that it can break every rule of it.

use std::fs::File;
use std::io::{self, Write as _};
use std::process::{Command, Stdio, exit};

use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let fault = std::env::args().nth(1).unwrap_or_default();
    match fault.as_str() {
        "exit" => {
            eprintln!("the licence has expired");
            exit(7);
        }
        "silent" => park(),
        "garbage" => say("Hello! I print to stdout.\n{\"half\n")?,
        "huge_line" => {
            let chunk = "x".repeat(1024 * 1024);
            for _ in 0..100 {
                say(&chunk)?;
            }
            say("\n")?;
        }
        "fork" => {
            // They keep our stdin, stdout and stderr open.
            Command::new("sleep").arg("1000").spawn()?;
            Command::new("sh").args(["-c", "sleep 1000 & sleep 1000"]).spawn()?;
        }
        _ => {}
    }
    for line in io::stdin().lines() {
        let frame: Value = serde_json::from_str(&line?)?;
        match frame["method"].as_str() {
            Some("initialize") => introduce(&frame["id"], &fault)?,
            Some("broker.event") => tick(&frame["params"]["event"]["payload"], &fault)?,
            Some("poll_tick") if fault == "polite" => publish("plugin.outbound.test.begun", &json!({}))?,
            Some("shutdown") if fault == "polite" => return say("{\"result\": {\"next_cursor\": \"Mg\"}}\n"),
            Some("poll_tick") => {
                let answer = misbehave(&fault, &frame["params"])?;
                return say(&if fault == "no_newline" { answer.to_string() } else { format!("{answer}\n") });
            }
            Some("shutdown") if fault == "ignores_shutdown" => park(),
            Some("shutdown") => {
                return say(&format!("{}\n", json!({"jsonrpc": "2.0", "id": frame["id"], "result": {"ok": true}})));
            }
            _ => {}
        }
    }
    Ok(())
}

fn introduce(id: &Value, fault: &str) -> io::Result<()> {
    let plugin = std::env::var("NEXO_POLLER_PLUGIN_ID").unwrap_or_default();
    let id = if fault == "wrong_id" { json!(4711) } else { id.clone() };
    let manifest = json!({"plugin": {
        "id": if fault == "other_plugin" { "somebody_else" } else { plugin.as_str() },
        "version": "0.1.0",
        "name": "Faults",
        "entrypoint": {"command": "fixture_faults"},
        "capabilities": {"broker": {
            "subscribe": [format!("plugin.poller.{plugin}.tick"), "_inbox.>".to_owned()],
            "publish": [
                format!("daemon.rpc.{plugin}"),
                if fault == "greedy" { "plugin.>" } else { "plugin.outbound.>" }.to_owned(),
                "_inbox.>".to_owned(),
            ],
        }},
        "poller": {"kinds": [plugin], "broker_topic_prefix": format!("plugin.poller.{plugin}")},
    }});
    say(&format!(
        "{}\n",
        json!({"jsonrpc": "2.0", "id": id, "result": {"manifest": manifest, "server_version": "0"}})
    ))?;
    if fault == "close_stdout" {
        rustix::stdio::dup2_stdout(File::open("/dev/null")?)?;
        park();
    }
    Ok(())
}

fn tick(message: &Value, fault: &str) -> io::Result<()> {
    let reply_to = message["reply_to"].as_str().unwrap_or_default();
    let answer = misbehave(fault, &message["payload"]["params"])?;
    publish(reply_to, &answer)
}

/// What goes wrong in a tick, and its answer.
fn misbehave(fault: &str, params: &Value) -> io::Result<Value> {
    match fault {
        "exit_mid_tick" => {
            eprintln!("out of memory, say");
            exit(9);
        }
        "hang" => park(),
        "outside" => publish("plugin.poller.healthy.tick", &json!({"method": "poll_tick", "params": {}}))?,
        "huge_message" => publish("plugin.outbound.test.faults", &json!({"text": "x".repeat(2 << 20)}))?,
        "bad_cursor" => return Ok(json!({"result": {"next_cursor": "not base64!"}})),
        "not_an_answer" => return Ok(json!({"result": 7})),
        "flood" => {
            let line = format!("{}\n", "all work and no play ".repeat(50));
            let mut stderr = io::stderr().lock();
            for _ in 0..100_000_000 / line.len() {
                stderr.write_all(line.as_bytes())?;
            }
        }
        "echo_child" => {
            Command::new("echo").arg("hello from a child").stdin(Stdio::null()).status()?;
        }
        "json_log" => say("{\"level\":\"info\",\"message\":\"JSON, and no answer\"}\n")?,
        "fork_and_answer" => {
            Command::new("sleep").arg("1000").spawn()?;
        }
        _ => {}
    }
    publish("plugin.outbound.test.faults", &json!({"job": params["job_id"]}))?;
    Ok(json!({"result": {"next_cursor": "Mg"}}))
}

fn publish(topic: &str, payload: &Value) -> io::Result<()> {
    let event = json!({
        "id": "0", "timestamp": "2026-01-01T00:00:00Z", "topic": topic, "source": "faults", "session_id": null,
        "payload": payload,
    });
    let frame = json!({"jsonrpc": "2.0", "method": "broker.publish", "params": {"topic": topic, "event": event}});
    say(&format!("{frame}\n"))
}

fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// For ever, whatever comes.
fn park() -> ! {
    loop {
        std::thread::park();
    }
}
