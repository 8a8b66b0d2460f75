use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::*;

/// A server on loopback that gives one answer to everybody and remembers what it was sent.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answering(answer: impl Fn(u16) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("[::]:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let heard_by = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // Counted as soon as somebody connects, whatever is said then.
                heard_by.lock().unwrap().push(String::new());
                let mut request = [0; 8192];
                let read = stream.read(&mut request).unwrap_or_default();
                *heard_by.lock().unwrap().last_mut().unwrap() = String::from_utf8_lossy(&request[..read]).into_owned();
                let _ = stream.write_all(answer(port).as_bytes());
            }
        });
        Self { port, heard }
    }

    fn body(body: &'static str) -> Self {
        Self::answering(move |_| format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}"))
    }

    fn redirecting(status: u16, to: impl Fn(u16) -> String + Send + 'static) -> Self {
        Self::answering(move |port| {
            let to = to(port);
            format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn request(url: &str, allow_private_networks: bool) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("hunter2"));
    Request { method: Method::GET, url: Url::parse(url).unwrap(), headers, body: None, allow_private_networks }
}

async fn error_of(http: &Http, request: Request) -> PollerError {
    match http.send(request).await {
        Err(error) => error,
        Ok(_) => panic!("this was answered"),
    }
}

/// Ways to name this machine, its network and its cloud: all must end before a connection.
const PRIVATE: [&str; 66] = [
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0",
    "0.0.0.0",
    "0x0",
    "00.0.0.0",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "0.0.0.1",
    "localhost",
    "LOCALHOST",
    "0x7f.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0.0.0.0]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::]",
    "[2002:0a00:0001::1]",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "[fc00::1]",
    "[fdff::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.65535",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
];

#[tokio::test]
async fn no_way_to_write_a_private_address_gives_a_connection() {
    let server = Server::body("[]");
    let http = Http::build().await.unwrap();
    for host in PRIVATE {
        let url = format!("http://{host}:{}/?key=hunter2", server.port);
        let error = error_of(&http, request(&url, false)).await.to_string();
        assert!(error.contains("allow_private_networks"), "{host}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(server.heard().len(), 0);
    println!(
        "figure ssrf.connections value={} unit=connections limit=0 note=of-{}-hosts",
        server.heard().len(),
        PRIVATE.len()
    );
}

#[tokio::test]
async fn no_redirect_leads_to_a_private_address() {
    let victim = Server::body("[]");
    let mut http = Http::build().await.unwrap();
    for host in PRIVATE {
        let (host, port) = (host.to_owned(), victim.port);
        // Raw bytes are no header; a browser escapes them too.
        let target = Url::parse(&format!("http://{host}:{port}/")).unwrap().to_string();
        let entrance = Server::redirecting(302, move |_| target.clone());
        http.exempt = Some(entrance.port);
        let error = error_of(&http, request(&format!("http://127.0.0.1:{}/", entrance.port), false)).await;
        assert!(error.to_string().contains("allow_private_networks"), "{host}: {error}");
        assert_eq!(entrance.heard().len(), 1, "{host}");
    }
    assert_eq!(victim.heard().len(), 0);
}

#[tokio::test]
async fn a_job_that_may_reach_private_networks_reaches_them() {
    let server = Server::body("[1]");
    let http = Http::build().await.unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let answer = http.send(request(&format!("http://{host}:{}/", server.port), true)).await.unwrap();
        assert!(matches!(answer, Answer::Body { bytes, .. } if bytes == b"[1]"), "{host}");
    }
}

#[tokio::test]
async fn another_server_is_not_told_the_headers_that_were_meant_for_the_first() {
    let last = Server::body("[]");
    let port = last.port;
    let first = Server::redirecting(307, move |_| format!("http://127.0.0.1:{port}/"));
    let http = Http::build().await.unwrap();
    let whole = Request {
        body: Some("the body has hunter2".into()),
        ..request(&format!("http://127.0.0.1:{}/", first.port), true)
    };
    http.send(whole).await.unwrap();
    assert!(first.heard()[0].contains("hunter2"));
    assert!(!last.heard()[0].contains("hunter2"), "{:?}", last.heard());
}

#[tokio::test]
async fn a_circle_of_redirects_ends_and_a_post_is_not_sent_on() {
    let circle = Server::redirecting(302, |port| format!("http://127.0.0.1:{port}/again"));
    let http = Http::build().await.unwrap();
    let url = format!("http://127.0.0.1:{}/", circle.port);
    let error = error_of(&http, request(&url, true)).await;
    assert_eq!(error.to_string(), "the server sends requests on more than 5 times");
    assert_eq!(circle.heard().len(), 1 + MOST_REDIRECTS);
    let post = Request { method: Method::POST, ..request(&url, true) };
    assert!(error_of(&http, post).await.to_string().contains("set `url` to the new address"));
    assert_eq!(circle.heard().len(), 2 + MOST_REDIRECTS);
}

#[tokio::test]
async fn an_answer_without_end_is_left_at_the_limit() {
    let endless =
        Server::answering(|_| format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", " ".repeat(LARGEST + 1)));
    let http = Http::build().await.unwrap();
    let error = error_of(&http, request(&format!("http://127.0.0.1:{}/", endless.port), true)).await;
    assert_eq!(error.to_string(), "the answer is larger than 8 MiB: ask the source for less at a time");
}

#[test]
fn a_name_with_one_private_address_among_its_addresses_is_not_connected_to() {
    let allowed = |found: &[&str]| only_public(found.iter().map(|address| address.parse().unwrap()).collect()).is_ok();
    assert!(allowed(&["1.1.1.1:0", "[2606:4700::1111]:0"]));
    assert!(!allowed(&["1.1.1.1:0", "10.0.0.1:0"]));
    assert!(!allowed(&["[::ffff:127.0.0.1]:0"]));
}
