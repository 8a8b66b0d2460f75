//! The stream of events as the command line reads it, from a server that cuts it wherever it likes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::home::Home;

/// Serves one caller a stream of these pieces, each as a chunk of its own.
fn serve(pieces: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut caller, _) = listener.accept().unwrap();
        let (mut asked, mut byte) = (Vec::new(), [0]);
        while !asked.ends_with(b"\r\n\r\n") {
            caller.read_exact(&mut byte).unwrap();
            asked.extend(byte);
        }
        caller
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for piece in pieces {
            caller.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
            caller.write_all(&piece).unwrap();
            caller.write_all(b"\r\n").unwrap();
        }
        caller.write_all(b"0\r\n\r\n").unwrap();
    });
    url
}

#[test]
fn an_event_arrives_whole_wherever_the_stream_is_cut() {
    let home = Home::with_jobs(&[]);
    let data = r#"{"job":"señal","reason":"paused by Žofie 🦀"}"#;
    let stream = format!(": a comment\n\nevent: changed\r\ndata: {data}\r\n\r\nevent: changed\ndata: {data}\n\n");
    // Each byte by itself, so that each character is cut.
    let url = serve(stream.bytes().map(|byte| vec![byte]).collect());
    let said = home.run(&["events", "señal", "--json", "--admin-url", &url]);
    assert_eq!(said.stdout, format!("{data}\n{data}\n"), "{said:?}");
}
