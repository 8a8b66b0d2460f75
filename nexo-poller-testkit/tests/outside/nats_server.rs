//! The server helper, through its public API.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use nexo_poller_testkit::{NatsCluster, NatsServer};

/// What the server answers to a ping.
fn ping(server: &NatsServer) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n")?;
    let mut lines = BufReader::new(stream).lines();
    let greeting = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    assert!(greeting.starts_with("INFO"), "{greeting}");
    lines.next().unwrap_or_else(|| Ok(String::new()))
}

#[test]
fn a_server_answers_is_silent_while_paused_and_comes_back_on_its_port() {
    let mut server = NatsServer::start().unwrap();
    let url = server.url();
    assert_eq!(ping(&server).unwrap(), "PONG");
    server.pause();
    assert!(ping(&server).is_err());
    server.resume();
    assert_eq!(ping(&server).unwrap(), "PONG");
    server.kill();
    assert!(ping(&server).is_err());
    server.restart().unwrap();
    assert_eq!((ping(&server).unwrap().as_str(), server.url()), ("PONG", url));
    server.stop();
    assert!(ping(&server).is_err());
}

#[test]
fn three_servers_make_one_cluster() {
    let mut cluster = NatsCluster::start(3).unwrap();
    for server in &cluster.servers {
        assert_eq!(ping(server).unwrap(), "PONG");
    }
    cluster.servers[1].kill();
    cluster.servers[1].restart().unwrap();
    assert_eq!(ping(&cluster.servers[1]).unwrap(), "PONG");
}
