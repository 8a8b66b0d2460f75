//! A tick on a feed of 100,000 entries, beside parsing it alone: `cargo bench -p rss-poller`.

#![expect(clippy::expect_used, reason = "a benchmark ends where something fails")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ENTRIES: usize = 100_000;
/// Tells this program to parse the file of that name, and nothing else.
const PARSE: &str = "RSS_BENCH_PARSE";

fn feed() -> String {
    let mut feed =
        "<rss version='2.0'><channel><title>t</title><link>http://a</link><description>d</description>".to_owned();
    for n in 0..ENTRIES {
        let day = n / 24 % 28 + 1;
        write!(
            feed,
            "<item><title>Entry {n}</title><link>https://blog.example.com/{n}</link><guid>{n}</guid>\
             <description>What entry {n} says, in a sentence or two of the usual length.</description>\
             <pubDate>{day:02} Jan {} {:02}:00:00 GMT</pubDate></item>",
            1900 + n / 672,
            n % 24
        )
        .expect("a string takes it");
    }
    feed + "</channel></rss>"
}

/// Seconds until it has ended, and the most memory that it had, in MiB.
fn watch(mut child: Child) -> (f64, f64) {
    let (began, mut most) = (Instant::now(), 0.0_f64);
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        most = kib.map_or(most, |kib: f64| most.max(kib / 1024.0));
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            assert!(ended.success(), "it failed");
            return (began.elapsed().as_secs_f64(), most);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn figure(name: &str, value: f64, unit: &str, limit: f64) {
    let ratio = value / limit;
    let line = format!(
        "figure rss.{name} value={value:.2} unit={unit} limit={limit:.2} ratio={ratio:.2} note=limit-is-parsing-alone"
    );
    writeln!(std::io::stdout(), "{line}").expect("stdout is there");
}

fn main() {
    if let Ok(file) = std::env::var(PARSE) {
        let bytes = std::fs::read(file).expect("the feed is there");
        let feed = feed_rs::parser::parse(&bytes[..]).expect("it is a feed");
        assert_eq!(feed.entries.len(), ENTRIES);
        return;
    }
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let feed = feed();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("feed.xml");
    std::fs::write(&file, &feed).expect("the feed can be written");
    let server = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}/", server.local_addr().expect("it has an address"));
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("it connects");
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", feed.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(feed.as_bytes()));
        }
    });
    let this = std::env::current_exe().expect("it has a name");
    let alone = watch(Command::new(this).env(PARSE, &file).spawn().expect("it starts"));
    let config = format!(r#"{{"feed_url": "{url}", "deliver": {{"channel": "console", "to": "me"}}}}"#);
    let mut tick = Command::new(env!("CARGO_BIN_EXE_rss-poller"));
    tick.args(["once", "--config", &config]).stdout(Stdio::null()).stderr(Stdio::null());
    let tick = watch(tick.spawn().expect("it starts"));
    figure("tick_100k_s", tick.0, "s", alone.0);
    figure("tick_100k_mib", tick.1, "MiB", alone.1);
}
