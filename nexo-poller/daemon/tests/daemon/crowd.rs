//! Callers who are many, and callers of a daemon that is stopped.

use std::io::Read as _;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::home::{Home, Said};

const HOURLY: &str = "id: orders, kind: chatty, schedule: { every: 1h }";

#[test]
fn strangers_who_ask_and_do_not_read_keep_nobody_out() {
    let home = Home::with_jobs(&[HOURLY]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    let crowd: Vec<TcpStream> = (0..520)
        .map(|n| {
            let stream = TcpStream::connect(&daemon.address).unwrap();
            let path = ["/admin/pollers", "/admin/events", "/metrics", "/healthz"][n % 4];
            std::io::Write::write_all(&mut &stream, format!("GET {path} HTTP/1.1\r\n{host}\r\n\r\n").as_bytes())
                .unwrap();
            stream
        })
        .collect();
    let mut longest = Duration::ZERO;
    for args in [&["ready"][..], &["list"], &["pause", "orders"], &["resume", "orders"], &["run", "orders"]] {
        let began = Instant::now();
        let said = home.run(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        longest = longest.max(began.elapsed());
    }
    // A stranger as well: the one that has rested longest gives way.
    let began = Instant::now();
    assert_eq!(daemon.get("/readyz").0, 200);
    longest = longest.max(began.elapsed());
    println!("figure admin.slowest_answer_in_a_crowd_ms value={} crowd={}", longest.as_millis(), crowd.len());
    assert!(longest < Duration::from_secs(10), "an answer took {longest:?}");
    daemon.stop();
}

#[test]
fn strangers_who_hold_every_place_of_the_events_leave_those_of_the_tokens_holders() {
    let home = Home::with_jobs(&[HOURLY]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    let mut strangers = Vec::new();
    let refused = loop {
        let mut stream = daemon.send("GET /admin/events", &[&host], "");
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).unwrap();
        if &begun == b"HTTP/1.1 503" {
            break String::from_utf8(begun.to_vec()).unwrap();
        }
        strangers.push(stream);
        assert!(strangers.len() < 1_000, "nobody is refused");
    };
    assert!(refused.contains("503"));
    let mut follower =
        home.command(&["events", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // What it prints is an event that came after it was let in: one job is paused again and again until then.
    let out = follower.stdout.take().unwrap();
    let heard = std::thread::spawn(move || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        line
    });
    let deadline = Instant::now() + crate::home::PATIENCE;
    while !heard.is_finished() && Instant::now() < deadline {
        assert_eq!(home.run(&["pause", "orders"]).code, Some(0));
    }
    let _ = follower.kill();
    let said: Said = follower.wait_with_output().unwrap().into();
    assert!(heard.join().unwrap().contains("orders"), "{said:?}");
    println!("figure admin.event_places_of_strangers value={}", strangers.len());
    daemon.stop();
}

#[test]
fn a_command_to_a_daemon_that_is_stopped_ends_and_says_where_to_look() {
    let home = Home::with_jobs(&[HOURLY, "id: hangs, kind: chatty, schedule: { every: 1h }, config: { do: hang }"]);
    let daemon = home.boot();
    let start = |args: &[&str]| home.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One is under way already.
    let mut asked = vec![(vec!["run", "hangs"], start(&["run", "hangs"]))];
    daemon.wait_for_answer("/admin/pollers/hangs", |job| job["phase"] == "running");
    daemon.signal("STOP");
    for args in [&["ready"][..], &["list"], &["pause", "orders"], &["run", "orders"], &["reload"], &["events"]] {
        asked.push((args.to_vec(), start(args)));
    }
    for (args, child) in asked {
        let said: Said = child.wait_with_output().unwrap().into();
        assert_eq!(said.code, Some(6), "{args:?}: {said:?}");
        assert!(said.stderr.contains("does not answer") && said.stderr.contains("kill -CONT"), "{args:?}: {said:?}");
    }
    daemon.signal("CONT");
    assert_eq!(home.run(&["list"]).code, Some(0));
    drop(daemon);
}
