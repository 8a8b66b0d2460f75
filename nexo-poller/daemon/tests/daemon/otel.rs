//! Spans of ticks at a collector that speaks HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::home::{Home, PATIENCE};

#[test]
fn the_span_of_a_tick_reaches_the_collector_that_the_environment_names() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", collector.local_addr().unwrap());
    let (arrived, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in collector.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap();
                }
                head += &line;
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let _ = stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = arrived.send((head, body));
        }
    });
    let home = Home::with_jobs(&["id: orders, kind: chatty, schedule: { every: 1h }"]);
    let mut command = home.command(&["run"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
    let daemon = home.boot_with(command);
    assert_eq!(home.run(&["run", "orders"]).code, Some(0));
    // What is left goes out at the end.
    daemon.stop();
    let (head, body) = bodies.recv_timeout(PATIENCE).expect("nothing reached the collector");
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    let text = String::from_utf8_lossy(&body);
    for part in ["tick", "orders", "chatty", "nexo-poller", "outcome"] {
        assert!(text.contains(part), "{part} is missing in {text:?}");
    }
}
