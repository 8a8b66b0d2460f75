use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{AuthorTick, Panicked, PublishList, TickGate, catch_now, watch};
use crate::contract::recording_host::RecordingHost;
use crate::contract::{ErrorClass, MAX_CURSOR, TickIdentity};
use crate::prelude::*;

/// Does what its config says.
struct Does(Mutex<Option<PollContext>>);

#[async_trait]
impl Poller for Does {
    fn kind(&self) -> &'static str {
        "does"
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        match config.as_str() {
            Some("bad") => Err(PollerError::config("it is bad")),
            _ => Ok(()),
        }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        *self.0.lock().unwrap() = Some(ctx.clone());
        let to = |channel: &str| Deliver { channel: channel.into(), to: "12".into() };
        match ctx.config.as_str() {
            Some("panic") => panic!("hunter2"),
            Some("hang") => std::future::pending().await,
            Some("heed") => ctx.cancel.cancelled().await,
            Some("deliver") => {
                for channel in ["telegram", "telegram", "email", "telegram"] {
                    to(channel).send(ctx, "hello").await?;
                }
            }
            Some("deliver twice though it fails") => {
                to("telegram").send(ctx, "hello").await.unwrap_err();
                to("telegram").send(ctx, "hello").await?;
            }
            Some("credentials") => {
                for _ in 0..2 {
                    to("telegram").send(ctx, "hello").await?;
                    ctx.credentials::<Value>("telegram").await?;
                }
            }
            Some(text) if text.starts_with("cursor ") => {
                let size = text["cursor ".len()..].parse().unwrap();
                return Ok(TickAck { next_cursor: Some(vec![b'x'; size]), ..TickAck::new() });
            }
            _ => {}
        }
        TickAck::with_cursor(&ctx.job_id)
    }
}

/// A tick of a job of ana's, and its poller.
fn tick(config: &str) -> (AuthorTick, Arc<Does>) {
    let poller = Arc::new(Does(Mutex::default()));
    let tick = AuthorTick {
        poller: Arc::clone(&poller) as _,
        identity: TickIdentity::new("does", "j", "ana"),
        config: config.into(),
        config_checked: false,
        now: Utc::now(),
        interval_hint: Duration::from_secs(60),
        publish: PublishList::of(["plugin.outbound.>"]),
    };
    (tick, poller)
}

fn gate() -> TickGate {
    TickGate::new(CancellationToken::new())
}

async fn run(config: &str, host: &Arc<RecordingHost>) -> Result<Result<TickAck, PollerError>, Panicked> {
    tick(config).0.run(gate(), |_| Arc::clone(host) as _).await
}

fn outbox() -> Arc<RecordingHost> {
    RecordingHost::new(Ok(json!({"account_id": "bot_1"})))
}

#[tokio::test]
async fn an_account_is_asked_for_once_a_tick_and_again_in_the_next() {
    let host = outbox();
    run("deliver", &host).await.unwrap().unwrap();
    assert_eq!(*host.asked.lock().unwrap(), ["telegram", "email"]);
    assert_eq!(host.sent.lock().unwrap().len(), 4);
    run("deliver", &host).await.unwrap().unwrap();
    assert_eq!(*host.asked.lock().unwrap(), ["telegram", "email", "telegram", "email"]);

    let none = RecordingHost::new(Ok(json!({})));
    run("deliver twice though it fails", &none).await.unwrap().unwrap_err();
    assert_eq!(none.asked.lock().unwrap().len(), 2, "what failed is asked for again");
}

#[tokio::test]
async fn credentials_are_never_older_than_the_call_though_the_topic_is_remembered() {
    let host = outbox();
    run("credentials", &host).await.unwrap().unwrap();
    assert_eq!(host.asked.lock().unwrap().len(), 3, "once for the topic, twice for the credentials");
}

#[tokio::test]
async fn a_config_that_nobody_has_looked_at_is_checked_and_one_that_was_checked_is_not() {
    let host = outbox();
    let refused = run("bad", &host).await.unwrap().unwrap_err();
    assert_eq!(refused.to_string(), "it is bad");
    let checked = AuthorTick { config_checked: true, ..tick("bad").0 };
    checked.run(gate(), |_| host as _).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_panic_is_its_place_and_never_its_words() {
    let panicked = run("panic", &outbox()).await.unwrap_err();
    for shown in [panicked.to_string(), format!("{panicked:?}")] {
        assert!(shown.contains("tick/tests.rs:") && !shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(panicked.into_payload().downcast_ref::<&str>(), Some(&"hunter2"));
    let panicked = catch_now::<()>(|| panic!("hunter2")).unwrap_err().to_string();
    assert!(panicked.starts_with("panicked at ") && panicked.contains("tick/tests.rs:"), "{panicked}");
    assert_eq!(catch_now(|| 1).unwrap(), 1);
}

#[tokio::test]
async fn the_host_closes_when_the_tick_returns_panics_or_is_dropped() {
    for config in ["", "panic", "hang"] {
        let (tick, poller) = tick(config);
        let gate = gate();
        let _ = tokio::time::timeout(Duration::ZERO, tick.run(gate.clone(), |_| outbox() as _)).await;
        let left = poller.0.lock().unwrap().take().unwrap();
        assert!(gate.is_closed() && left.cancel.is_cancelled(), "{config:?}");
        let late = left.publish("plugin.outbound.late", &json!({})).await.unwrap_err();
        assert!(late.to_string().contains("the tick is over"), "{config:?}: {late}");
        for late in [
            left.host.credentials_get("telegram".into()).await.err(),
            left.host.account_id("telegram".into()).await.err(),
            left.host.log(LogLevel::Info, String::new(), Value::Null).await.err(),
            left.host.metric_inc(String::new(), Value::Null).await.err(),
        ] {
            assert!(matches!(late, Some(HostError::Unavailable { .. })), "{config:?}: {late:?}");
        }
    }
}

#[tokio::test]
async fn a_publish_off_the_list_is_refused_before_the_host_hears_of_it() {
    let (host, (tick, _)) = (outbox(), tick(""));
    let context = tick.into_context(&gate(), Arc::clone(&host) as _);
    let refused = context.publish("plugin.inbound.x", &json!({})).await.unwrap_err();
    let allowed = vec!["plugin.outbound.>".to_owned()];
    assert_eq!(refused, HostError::NotAllowed { topic: "plugin.inbound.x".into(), allowed });
    context.publish("plugin.outbound.x", &json!({})).await.unwrap();
    assert_eq!(*host.sent.lock().unwrap(), [("plugin.outbound.x".to_owned(), json!({}))]);
    PublishList::everything().check("any..thing").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_has_had_its_time_is_cancelled_and_one_that_does_not_heed_that_is_shut_out() {
    for (config, ends) in [("heed", true), ("hang", false)] {
        let (tick, poller) = tick(config);
        let (gate, began) = (gate(), tokio::time::Instant::now());
        let stop = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            Duration::from_secs(1)
        };
        let ended = watch(tick.run(gate.clone(), |_| outbox() as _), &gate, stop).await;
        assert_eq!(ended.is_some(), ends, "{config}");
        assert_eq!(began.elapsed(), Duration::from_secs(if ends { 10 } else { 11 }), "{config}");
        let left = poller.0.lock().unwrap().take().unwrap();
        left.publish("plugin.outbound.late", &json!({})).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_cursor_of_256_kib_is_taken_and_a_longer_one_fails_its_tick_with_size_limit_and_job() {
    let longest = run("cursor 262144", &outbox()).await.unwrap().unwrap();
    assert_eq!(longest.next_cursor.map(|cursor| cursor.len()), Some(MAX_CURSOR));
    let refused = run("cursor 262145", &outbox()).await.unwrap().unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Permanent);
    let said = refused.to_string();
    for part in ["job `j`", "262145 bytes", "limit of 262144", "not everything that was ever seen"] {
        assert!(said.contains(part), "{said}");
    }
}
