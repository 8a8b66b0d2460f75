//! Somebody else has the port that a daemon had.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::home::Home;

const HOURLY: &str = "id: orders, kind: chatty, schedule: { every: 1h }";

/// What an impostor does with a request.
#[derive(Clone)]
enum Reply {
    /// Says this.
    Text(String),
    /// Asks the daemon at this address, in whose name it answers.
    Relay(String),
}

/// Listens at a port for as long as the test runs: its address, and all that it is told.
fn impostor(reply: Reply) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = Arc::new(Mutex::new(String::new()));
    let (own, ear) = (address.clone(), Arc::clone(&heard));
    std::thread::spawn(move || {
        for caller in listener.incoming() {
            let mut caller = caller.unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && caller.read_exact(&mut byte).is_ok() {
                request.extend(byte);
            }
            let request = String::from_utf8(request).unwrap();
            ear.lock().unwrap().push_str(&request);
            let answer = match &reply {
                Reply::Text(text) => text.clone(),
                Reply::Relay(daemon) => relay(&request.replace(&own, daemon), daemon),
            };
            let _ = caller.write_all(answer.as_bytes());
            let _ = caller.shutdown(Shutdown::Write);
        }
    });
    (address, heard)
}

fn relay(request: &str, daemon: &str) -> String {
    let mut stream = TcpStream::connect(daemon).unwrap();
    stream.write_all(request.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn text(status: &str, body: &str) -> Reply {
    let head = "Content-Type: application/json\r\nConnection: close\r\n";
    Reply::Text(format!("HTTP/1.1 {status}\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn whoever_has_taken_the_port_of_a_daemon_learns_nothing_from_commands_and_daemons() {
    let home = Home::with_jobs(&[HOURLY]);
    let daemon = home.boot();
    let endless = format!("{{\"run\":\"{}", "x".repeat(1 << 20));
    let mut attempts = 0;
    for reply in [
        text("200 OK", "{\"ready\":true,\"reasons\":[],\"pollers\":[]}"),
        text("200 OK", "{\"run\":\"0123456789abcdef\",\"proof\":\"0123456789abcdef\"}"),
        text("200 OK", "{\"run\":\"\",\"proof\":\"\"}"),
        text("404 Not Found", "{}"),
        text("401 Unauthorized", "{}"),
        Reply::Text(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".into(),
        ),
        Reply::Text(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{endless}", 1_u64 << 40)),
        Reply::Text("garbage".into()),
        Reply::Text(String::new()),
        // The daemon itself, at its new port, must not help.
        Reply::Relay(daemon.address.clone()),
    ] {
        let (address, heard) = impostor(reply);
        home.write("data/admin.addr", &address);
        for args in [&["list"][..], &["ready"], &["pause", "orders"], &["run", "orders"], &["events"], &["reload"]] {
            let said = home.run(args);
            assert_eq!(said.code, Some(6), "{args:?}: {said:?}");
            assert_eq!(said.stderr.lines().count(), 1, "{args:?}: {said:?}");
            attempts += 1;
        }
        // A daemon that starts asks whether another one is there.
        home.boot().stop();
        attempts += 1;
        let heard = heard.lock().unwrap();
        assert!(heard.contains("GET /admin/hello?nonce="), "{heard}");
        assert!(!heard.contains(&home.token()) && !heard.to_lowercase().contains("authorization"), "{heard}");
    }
    println!("figure admin.tokens_told_to_an_impostor value=0 of={attempts}");
    // The daemon at its own address is found all the same.
    home.write("data/admin.addr", &daemon.address);
    assert_eq!(home.run(&["run", "orders"]).code, Some(0));
    daemon.stop();
}

#[test]
fn neither_a_proof_nor_the_name_of_a_run_lets_anybody_in_and_the_token_does() {
    let home = Home::with_jobs(&[HOURLY]);
    let daemon = home.boot();
    let host = format!("Host: {}", daemon.address);
    for nonce in ["", "short", "0123456789abcde%0A0", &"x".repeat(200)] {
        assert_eq!(daemon.http(&format!("GET /admin/hello?nonce={nonce}"), &[&host], "").0, 400, "{nonce:?}");
    }
    let hello = |address: &str| {
        let (status, body) = daemon.http("GET /admin/hello?nonce=0123456789abcdef", &[&format!("Host: {address}")], "");
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    let (status, proof) = hello(&daemon.address);
    assert_eq!(status, 200);
    // Neither a proof nor the name of a run lets anybody in.
    for shown in [&proof["proof"], &proof["run"]] {
        let shown = format!("Authorization: Bearer {}", shown.as_str().unwrap());
        assert_eq!(daemon.http("POST /admin/pollers/orders/run", &[&host, &shown], "").0, 401);
    }
    // As always for curl, Prometheus and the page.
    let token = format!("Authorization: Bearer {}", home.token());
    assert_eq!(daemon.http("POST /admin/pollers/orders/run", &[&host, &token], "").0, 200);
    daemon.stop();
}
