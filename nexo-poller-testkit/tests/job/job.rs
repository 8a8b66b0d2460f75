//! A job driven by hand is treated as the runner treats it.

use std::time::Duration;

use nexo_poller::prelude::*;
use nexo_poller_testkit::{Fault, JobTest, Method, MockPollerHost, TestClock};

/// Does what its config says: `{"do": "next" | "keep" | "reset" | "hang" | "until_cancelled" | …}`.
struct Scripted;

#[async_trait]
impl Poller for Scripted {
    fn kind(&self) -> &'static str {
        "scripted"
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        if config["do"].is_string() { Ok(()) } else { Err(PollerError::config("`do`: expected a string")) }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let Cursor(count) = <Cursor<u32> as FromTick>::from_tick(ctx).await?;
        ctx.publish("a.b", &json!({"count": count, "now": ctx.now})).await?;
        match ctx.config["do"].as_str() {
            Some("next") => TickAck::with_cursor(&(count + 1)),
            Some("reset") => Ok(TickAck::new().reset_cursor()),
            Some("transient") => Err(PollerError::transient("later")),
            Some("permanent") => Err(PollerError::permanent("never")),
            Some("until_cancelled") => {
                ctx.cancel.cancelled().await;
                TickAck::with_cursor(&100)
            }
            Some("hang") => std::future::pending().await,
            _ => Ok(TickAck::new()),
        }
    }
}

fn job(does: &str) -> (JobTest, MockPollerHost) {
    let host = MockPollerHost::new();
    (JobTest::with_host(Scripted, &host).config(json!({"do": does})), host)
}

#[tokio::test]
async fn the_cursor_is_carried_over_kept_and_reset_as_the_ack_says() {
    let (mut job, _host) = job("next");
    job.tick().await;
    job.tick().await;
    assert_eq!(job.cursor::<u32>(), 2);
    let mut job = job.config(json!({"do": "keep"}));
    job.tick().await;
    assert_eq!(job.cursor::<u32>(), 2);
    let mut job = job.config(json!({"do": "reset"}));
    job.tick().await;
    assert_eq!(job.cursor_bytes(), None);
}

#[tokio::test]
async fn no_failure_moves_the_cursor() {
    let (job, host) = job("transient");
    let mut job = job.resume_from(&7);
    assert_eq!(job.tick_expect_transient().await.to_string(), "later");
    let mut job = job.config(json!({"do": "permanent"}));
    assert_eq!(job.tick_expect_permanent().await.to_string(), "never");
    let mut job = job.config(json!({}));
    assert_eq!(job.tick_expect_config().await.to_string(), "`do`: expected a string");
    let mut job = job.config(json!({"do": "next"}));
    host.fault(Fault::on(Method::Publish).fails(HostError::unavailable("away")));
    job.tick_expect_transient().await;
    assert_eq!(job.cursor::<u32>(), 7);
}

#[tokio::test]
async fn a_config_that_does_not_validate_never_reaches_the_tick() {
    let (job, host) = job("next");
    job.config(json!({"do": 1})).tick_expect_config().await;
    host.assert_nothing_published();
}

#[tokio::test]
async fn a_cursor_of_another_version_is_an_error_that_names_the_job() {
    let (job, host) = job("next");
    let mut job = job.id("ana_scripted").resume_from_bytes(*b"\xff\x00");
    let error = job.tick_expect_permanent().await.to_string();
    assert!(error.contains("reset the job to start over"), "{error}");
    host.assert_nothing_published();
    job.reset();
    job.tick().await;
    assert_eq!(job.cursor::<u32>(), 1);
}

#[tokio::test]
async fn time_moves_when_the_test_moves_it() {
    let (job, host) = job("next");
    let mut job = job.start_at("2026-03-29T00:30:00Z");
    job.tick().await;
    job.advance(Duration::from_secs(3600));
    job.tick().await;
    job.clock().set("2020-01-01T00:00:00Z".parse().unwrap());
    job.tick().await;
    let seen: Vec<_> = host.published().into_iter().map(|message| message.payload["now"].clone()).collect();
    assert_eq!(seen, ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2020-01-01T00:00:00Z"]);
}

#[test]
fn a_clock_stops_at_the_end_of_time() {
    let clock = TestClock::default();
    clock.advance(Duration::MAX);
    assert_eq!(clock.now(), DateTime::<Utc>::MAX_UTC);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_hangs_is_abandoned_after_its_deadline_and_one_that_listens_ends_in_order() {
    let (mut hanging, _host) = job("hang");
    let error = hanging.tick_expect_transient().await.to_string();
    assert!(error.contains("was abandoned") && error.contains("test_scripted"), "{error}");

    let (mut listening, _host) = job("until_cancelled");
    listening.tick().await;
    assert_eq!(listening.cursor::<u32>(), 100);
    listening.tick_cancelled_after(Duration::from_millis(1)).await.unwrap();
}

#[tokio::test]
async fn a_repeated_tick_repeats_its_ids_and_another_jobs_differ() {
    let (mut first, host) = job("transient");
    first.tick_expect_transient().await;
    first.tick_expect_transient().await;
    let mut other = JobTest::with_host(Scripted, &host).id("other").config(json!({"do": "keep"}));
    other.tick().await;
    let ids: Vec<_> = host.published().into_iter().map(|message| message.id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

/// How many ticks have seen this value.
#[derive(Default)]
struct Warm(std::sync::atomic::AtomicU32);

/// Counts in its warm state.
#[poller(kind = "warm_counter", main = false)]
async fn warm_counter(State(warm): State<Warm>) -> Result<TickAck, PollerError> {
    tokio::task::yield_now().await;
    TickAck::with_cursor(&(warm.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1))
}

#[tokio::test]
async fn what_a_job_keeps_warm_is_its_own() {
    for _ in 0..2 {
        let mut job = JobTest::new(WarmCounter);
        for tick in 1..=2_u32 {
            job.tick().await;
            assert_eq!(job.cursor::<u32>(), tick);
        }
    }
}
