//! A job whose process dies in the middle of a tick loses nothing, and the helper sees it where one does.
#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the failure")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller_testkit::{CrashTest, JobTest, MockPollerHost, Point};

const TOPIC: &str = "plugin.outbound.console.console";
const GUIDE: &str = include_str!("../../src/guide/crashes.md");

/// Announces numbers up to five, at most three a tick, each as `shown` makes it.
struct Numbers {
    shown: fn(&PollContext, u32) -> Value,
}

#[async_trait]
impl Poller for Numbers {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let Cursor(done) = <Cursor<u32> as FromTick>::from_tick(ctx).await?;
        let last = 5.min(done + 3);
        for number in done + 1..=last {
            ctx.publish(TOPIC, &(self.shown)(ctx, number)).await?;
        }
        TickAck::with_cursor(&last)
    }
}

fn plain(_: &PollContext, number: u32) -> Value {
    json!({"to": "me", "text": number.to_string()})
}

fn stamped(ctx: &PollContext, number: u32) -> Value {
    json!({"to": "me", "text": number.to_string(), "at": ctx.now.to_rfc3339()})
}

/// Takes each number out of the source before it is safe with the host.
struct Hasty(Arc<Mutex<Vec<u32>>>);

#[async_trait]
impl Poller for Hasty {
    fn kind(&self) -> &'static str {
        "hasty"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap());
        for number in taken {
            ctx.publish(TOPIC, &plain(ctx, number)).await?;
        }
        Ok(TickAck::new())
    }
}

fn numbers(shown: fn(&PollContext, u32) -> Value) -> impl Fn() -> JobTest {
    move || JobTest::with_host(Numbers { shown }, &MockPollerHost::new())
}

fn hasty() -> JobTest {
    JobTest::with_host(Hasty(Arc::new(Mutex::new(vec![1, 2, 3]))), &MockPollerHost::new())
}

async fn failure_of(test: impl Future<Output = ()> + Send + 'static) -> String {
    let panic = tokio::spawn(test).await.unwrap_err().into_panic();
    panic.downcast_ref::<String>().unwrap().trim().to_owned()
}

/// The text block that stands under the line of the guide that begins with `call`.
fn promised(call: &str) -> &'static str {
    let after = GUIDE.split_once(call).unwrap_or_else(|| panic!("the guide does not show {call}")).1;
    after.split("```text\n").nth(1).unwrap().split("```").next().unwrap().trim_end()
}

#[tokio::test]
async fn the_cursor_that_is_durable_at_the_crash_is_where_the_job_resumes() {
    for (point, published, resumes_from) in [
        (Point::BeforeTick, 0, None),
        (Point::AfterPublish(1), 1, None),
        (Point::AfterPublish(3), 3, None),
        (Point::BeforeCommit, 3, None),
        (Point::AfterCommit, 3, Some(b"3".as_slice())),
    ] {
        let mut job = numbers(plain)();
        let crashed = job.crash_at(point).await;
        assert_eq!((crashed.published.len(), job.cursor_bytes()), (published, resumes_from), "{point}");
    }
}

#[tokio::test]
async fn a_poller_that_commits_after_it_publishes_loses_nothing_wherever_it_dies() {
    let reports = CrashTest::new(numbers(plain)).ticks(2).everywhere().await;
    let repeated: Vec<usize> = reports.iter().map(|report| report.repeated().len()).collect();
    assert_eq!(repeated, [0, 1, 2, 3, 3, 0]);
    assert!(reports.iter().all(|report| report.deliveries.len() == 5));
}

#[tokio::test]
async fn a_report_reads_as_the_guide_shows_it() {
    let report = CrashTest::new(numbers(plain)).crash_at(Point::AfterPublish(2)).await;
    assert_eq!(report.to_string(), promised("crash_at(Point::AfterPublish(2))"));
}

#[tokio::test]
async fn a_poller_that_empties_its_source_first_is_found_out_and_told_what_it_lost() {
    let text = failure_of(async { drop(CrashTest::new(hasty).crash_at(Point::AfterPublish(1)).await) }).await;
    let (shown, at) = text.rsplit_once("at: ").unwrap();
    let (promised, _) = promised("A poller that empties its source").rsplit_once("at: ").unwrap();
    assert_eq!(shown, promised);
    assert!(at.contains("tests/job/crash.rs:"), "{at}");
}

#[tokio::test]
async fn a_payload_with_the_time_of_its_tick_repeats_with_another_id_and_is_found_out() {
    let test = CrashTest::new(numbers(stamped)).restart_after(Duration::from_secs(60));
    let text = failure_of(async move { drop(test.crash_at(Point::AfterPublish(1)).await) }).await;
    assert!(text.contains("actual: 3 messages changed by a crash after publish 1"), "{text}");
}

#[tokio::test]
async fn a_point_that_the_tick_never_comes_to_is_a_failure_that_says_what_happened() {
    let text = failure_of(async { drop(numbers(plain)().crash_at(Point::AfterPublish(4)).await) }).await;
    assert!(text.starts_with("expected: a tick that dies after publish 4"), "{text}");
    assert!(text.contains("actual: it published 3 and succeeded"), "{text}");
}

#[tokio::test]
async fn warm_state_dies_with_the_process() {
    #[derive(Default)]
    struct Seen(Mutex<u32>);

    struct Warm;

    #[async_trait]
    impl Poller for Warm {
        fn kind(&self) -> &'static str {
            "warm"
        }

        async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
            let seen = <State<Seen> as FromTick>::from_tick(ctx).await?;
            let count = {
                let mut count = seen.0.0.lock().unwrap();
                *count += 1;
                *count
            };
            ctx.publish(TOPIC, &json!({"count": count})).await?;
            Ok(TickAck::new())
        }
    }

    let host = MockPollerHost::new();
    let mut job = JobTest::with_host(Warm, &host);
    job.tick().await;
    job.tick().await;
    job.crash_at(Point::BeforeTick).await;
    job.tick().await;
    let counts: Vec<_> = host.published().into_iter().map(|message| message.payload["count"].clone()).collect();
    assert_eq!(counts, [1, 2, 1]);
}
