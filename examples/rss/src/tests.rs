use std::net::TcpListener;
use std::time::Duration;

use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};
use nexo_poller_testkit::{CrashTest, Fault, JobTest};

use super::{Rss, SEEN, Seen, newest};

const TOPIC: &str = "plugin.outbound.telegram.bot";

/// A server on loopback that replays `answers`, and the feed's address there.
fn replay<const N: usize>(answers: [Exchange; N]) -> (String, HttpReplay) {
    let server = HttpReplay::of(Recording::from(answers));
    (server.url("/feed?key=hunter2"), server)
}

fn answer(status: u16) -> Exchange {
    Exchange::get("/feed").status(status)
}

fn ok(etag: &str, body: &str) -> Exchange {
    answer(200).header("etag", &format!("\"{etag}\"")).text(body)
}

/// An RSS feed, as feeds are: newest first.
pub(super) fn feed(numbers: impl DoubleEndedIterator<Item = u32>) -> String {
    let item = |n: u32| {
        format!(
            "<item><guid>id{n}</guid><title>Title {n}</title><link>https://example.org/{n}</link>\
             <description>Summary of {{title}} {n}</description></item>"
        )
    };
    let items: String = numbers.rev().map(item).collect();
    format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>t</title><link>https://example.org</link>\
         <description>d</description>{items}</channel></rss>"
    )
}

fn job(url: &str) -> JobTest {
    let config =
        json!({"feed_url": url, "message_template": "{title}", "deliver": {"channel": "telegram", "to": "42"}});
    let job = JobTest::new(Rss).config(config);
    job.host().credentials("telegram", json!({"account_id": "bot"}));
    job
}

#[tokio::test]
async fn entries_are_announced_once_oldest_first_and_an_unchanged_feed_is_not_read_again() {
    let second = feed(1..=3);
    let (url, server) = replay([ok("v1", &feed(1..=2)), ok("v2", &second), answer(304)]);
    let mut job = job(&url);
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["Title 1", "Title 2", "Title 3"]);
    let known = server.asked_header("if-none-match");
    assert_eq!(known, [None, Some("\"v1\"".to_owned()), Some("\"v2\"".to_owned())]);
}

#[tokio::test]
async fn what_exceeds_a_tick_waits_and_the_feed_counts_as_changed_until_then() {
    let all = ok("v1", &feed(1..=7));
    let (url, server) = replay([all.clone(), all]);
    let mut job = job(&url);
    let ack = job.tick().await;
    assert_eq!(ack.metrics.unwrap().items_dispatched, 5);
    assert_eq!(job.cursor::<Seen>().etag, None);
    job.tick().await;
    job.host().assert_published(TOPIC).times(7).texts((1..=7).map(|n| format!("Title {n}")));
    assert_eq!(job.cursor::<Seen>().etag.as_deref(), Some("\"v1\""));
    assert_eq!(server.asked_header("if-none-match"), [None, None]);
}

#[tokio::test]
async fn a_feed_longer_than_the_memory_repeats_nothing() {
    let most = u32::try_from(SEEN).unwrap();
    let long = ok("v1", &feed(1..=most + 50));
    let (url, _server) = replay([long.clone(), long]);
    let config = json!({"feed_url": url, "max_per_tick": 1000, "deliver": {"channel": "telegram", "to": "42"}});
    let mut job = job(&url).config(config);
    job.tick().await;
    job.host().assert_published(TOPIC).times(SEEN);
    assert_eq!(job.cursor::<Seen>().ids.len(), SEEN);
    job.host().forget();
    job.tick().await;
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn an_entry_that_leaves_the_feed_and_comes_back_is_no_news() {
    let (url, _server) = replay([ok("1", &feed(1..=2)), ok("2", &feed(2..=3)), ok("3", &feed(1..=3))]);
    let mut job = job(&url);
    for _ in 0..3 {
        job.tick().await;
    }
    job.host().assert_published(TOPIC).texts(["Title 1", "Title 2", "Title 3"]);
}

#[tokio::test]
async fn a_template_is_filled_in_one_pass() {
    let (url, _server) = replay([ok("v1", &feed(1..=1))]);
    let config = json!({
        "feed_url": url,
        "message_template": "{summary} | {link} | {{title}} {{",
        "deliver": {"channel": "telegram", "recipient": "42"},
    });
    let mut job = job(&url).config(config);
    job.tick().await;
    job.host()
        .assert_published(TOPIC)
        .with_payload(json!({"to": "42", "text": "Summary of {title} 1 | https://example.org/1 | {title} {"}));
}

#[test]
fn a_field_that_no_entry_has_is_refused_when_the_job_is_loaded() {
    let config = json!({
        "feed_url": "https://example.org/feed",
        "message_template": "{titel}",
        "deliver": {"channel": "telegram", "to": "42"},
    });
    let error = Rss.validate(&config).unwrap_err().to_string();
    assert!(error.contains("`message_template`") && error.contains("there are title, link, summary"), "{error}");
}

#[tokio::test]
async fn each_refusal_has_its_class_and_none_shows_the_address() {
    let gone = answer(404);
    let later = answer(429).header("retry-after", "90");
    let broken = answer(502);
    let not_a_feed = ok("v1", "<html>login</html>");
    let (url, _server) = replay([gone, later, broken, not_a_feed]);
    let mut job = job(&url);
    let mut errors = vec![job.tick_expect_permanent().await];
    let limited = job.tick_expect_transient().await;
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(90)));
    errors.push(limited);
    for _ in 0..2 {
        errors.push(job.tick_expect_transient().await);
    }
    // Nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut job = self::job(&format!("http://{address}/feed?key=hunter2"));
    errors.push(job.tick_expect_transient().await);
    for error in errors {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    assert_eq!(job.cursor_bytes(), None);
}

#[tokio::test]
async fn a_publish_that_fails_repeats_with_the_same_ids() {
    let page = ok("v1", &feed(1..=2));
    let (url, _server) = replay([page.clone(), page]);
    let mut job = job(&url);
    job.host().fault(Fault::on_topic(TOPIC).call(2).fails(HostError::unavailable("restarting")));
    job.tick_expect_transient().await;
    job.tick().await;
    let sent = job.host().assert_published(TOPIC).texts(["Title 1", "Title 1", "Title 2"]).messages();
    assert_eq!(sent[0].id, sent[1].id);
}

#[tokio::test]
async fn wherever_its_process_dies_every_entry_is_announced_and_copies_can_be_told() {
    // The world without a crash reads the page once, each of the six others once or twice: more than enough.
    let (url, _server) = replay([(); 32].map(|()| ok("v1", &feed(1..=3))));
    for report in CrashTest::new(|| job(&url)).everywhere().await {
        assert_eq!(report.deliveries.len(), 3, "{report}");
    }
}

#[tokio::test]
async fn a_config_that_is_no_use_is_refused_by_its_field() {
    for (config, field) in [
        (json!({"feed_url": "no url", "deliver": {"channel": "telegram", "to": "1"}}), "`feed_url`"),
        (json!({"feed_url": "https://a.example"}), "`deliver`"),
        (json!({"feed_url": "https://a.example", "deliver": {"channel": "a", "to": "1"}, "max": 1}), "`max`"),
    ] {
        let error = job("").config(config).tick_expect_config().await.to_string();
        assert!(error.contains(field), "{error}");
    }
}

/// The ids and titles of a feed's entries, as they would be announced.
fn titles(feed: &[u8]) -> Vec<String> {
    newest(feed).unwrap().into_iter().map(|entry| entry.title.map(|title| title.content).unwrap_or_default()).collect()
}

#[test]
fn rss_atom_and_json_feeds_are_read() {
    let rss = "<rss version='2.0'><channel><title>t</title><link>http://a</link><description>d</description>\
        <item><title>One</title><guid>1</guid></item></channel></rss>";
    let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><title>t</title><id>f</id><updated>2026-01-01T00:00:00Z</updated>\
        <entry><title>One</title><id>1</id><updated>2026-01-01T00:00:00Z</updated></entry></feed>";
    let json = json!({
        "version": "https://jsonfeed.org/version/1.1", "title": "t",
        "items": [{"id": "1", "title": "One", "content_text": "x"}],
    });
    for feed in [rss.to_owned(), atom.to_owned(), json.to_string()] {
        assert_eq!(titles(feed.as_bytes()), ["One"], "{feed}");
    }
}

#[test]
fn an_entry_is_known_by_its_guid_whatever_else_changes_and_without_one_by_what_it_says() {
    let feed = |items: &str| {
        format!(
            "<rss version='2.0'><channel><title>t</title><link>http://a</link><description>d</description>{items}</channel></rss>"
        )
    };
    let ids =
        |items: &str| newest(feed(items).as_bytes()).unwrap().into_iter().map(|entry| entry.id).collect::<Vec<_>>();
    let guid = "<guid isPermaLink='false'>tag:1</guid>";
    assert_eq!(
        ids(&format!("<item><title>One</title><link>http://a/1</link>{guid}</item>")),
        ids(&format!("<item><title>One, corrected</title><link>http://b/1</link>{guid}</item>")),
    );
    let without = ids(
        "<item><title>One</title><link>http://a/1</link></item><item><title>Two</title><link>http://a/2</link></item>",
    );
    assert_ne!(without[0], without[1]);
    assert_eq!(
        without,
        ids(
            "<item><title>One</title><link>http://a/1</link></item><item><title>Two</title><link>http://a/2</link></item>"
        )
    );
}

#[test]
fn a_feed_says_what_its_bytes_mean() {
    let feed = |encoding: &str| {
        format!(
            "<?xml version='1.0' encoding='{encoding}'?><rss version='2.0'><channel><title>t</title><link>http://a</link>\
            <description>d</description><item><title>Caf\u{e9}</title><guid>1</guid></item></channel></rss>"
        )
    };
    let latin: Vec<u8> = feed("ISO-8859-1").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let marked = [b"\xef\xbb\xbf", feed("UTF-8").as_bytes()].concat();
    for bytes in [latin, marked, feed("UTF-8").into_bytes()] {
        assert_eq!(titles(&bytes), ["Caf\u{e9}"]);
    }
}

#[test]
fn what_is_no_feed_is_tried_again() {
    for bytes in ["", "<!DOCTYPE html><html><body>down for maintenance</body></html>", "{\"error\": 1}", "\u{0}\u{1}"] {
        assert_eq!(newest(bytes.as_bytes()).unwrap_err().class(), ErrorClass::Transient, "{bytes:?}");
    }
}

#[test]
fn of_a_hundred_thousand_entries_the_newest_are_looked_at() {
    let mut feed =
        "<rss version='2.0'><channel><title>t</title><link>http://a</link><description>d</description>".to_owned();
    for n in 0..100_000 {
        let (day, hour) = (n / 24 % 28 + 1, n % 24);
        feed += &format!(
            "<item><title>n{n}</title><guid>{n}</guid><pubDate>{day:02} Jan {} {hour:02}:00:00 GMT</pubDate></item>",
            1900 + n / 672
        );
    }
    feed += "</channel></rss>";
    let titles = titles(feed.as_bytes());
    assert_eq!((titles.len(), titles[0].as_str(), titles[SEEN - 1].as_str()), (SEEN, "n99999", "n99800"));
}
