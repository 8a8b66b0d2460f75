use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use crate::contract::recording_host::RecordingHost;
use crate::contract::{ErrorClass, WarmStates};
use crate::prelude::*;

fn ctx(config: Value, cursor: Option<&[u8]>) -> PollContext {
    PollContext {
        job_id: "ana_jira".into(),
        agent_id: "ana".into(),
        kind: "jira",
        config,
        cursor: cursor.map(<[u8]>::to_vec),
        now: Utc::now(),
        interval_hint: Duration::from_secs(60),
        cancel: CancellationToken::new(),
        host: RecordingHost::new(Err(HostError::unavailable("none"))),
    }
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
struct Jira {
    #[serde(default = "five")]
    max_per_tick: u8,
    token: Option<String>,
    deliver: Option<Deliver>,
}

fn five() -> u8 {
    5
}

async fn config_error(config: Value) -> String {
    let at_load = <Config<Jira> as FromTick>::validate(&config).unwrap_err();
    let in_tick = Config::<Jira>::from_tick(&ctx(config, None)).await.unwrap_err();
    assert_eq!((at_load.class(), at_load.to_string()), (ErrorClass::Config, in_tick.to_string()));
    at_load.to_string()
}

#[tokio::test]
async fn a_config_error_names_the_field_and_hides_the_value() {
    let table = [
        (json!({"max_per_tick": "hunter2"}), "config: `max_per_tick`: invalid type: string, expected u8"),
        (json!({"max_per_tick": 4242}), "config: `max_per_tick`: invalid value: integer, expected u8"),
        (json!({"deliver": {"channel": "x"}}), "config: `deliver`: missing field `to`"),
        (
            json!({"tokn": "hunter2"}),
            "config: `tokn`: unknown field `tokn`, expected one of `max_per_tick`, `token`, `deliver`",
        ),
        (json!("hunter2"), "config: invalid type: string, expected struct Jira"),
    ];
    for (config, expected) in table {
        assert_eq!(config_error(config).await, expected);
    }
}

#[tokio::test]
async fn a_config_that_is_left_out_is_an_empty_one() {
    for config in [Value::Null, json!({})] {
        let Config(jira) = Config::<Jira>::from_tick(&ctx(config, None)).await.unwrap();
        assert_eq!(jira, Jira { max_per_tick: 5, token: None, deliver: None });
    }
}

#[test]
fn a_config_has_a_schema_with_its_fields() {
    let schema = <Config<Jira> as FromTick>::config_schema().unwrap().to_value();
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["max_per_tick"].is_object(), "{schema}");
    assert!(<Cursor<u8> as FromTick>::config_schema().is_none());
}

#[tokio::test]
async fn the_first_tick_has_the_default_cursor_and_so_has_one_after_a_reset() {
    for cursor in [None, Some(b"".as_slice())] {
        assert_eq!(Cursor::<u64>::from_tick(&ctx(json!({}), cursor)).await.unwrap(), Cursor(0));
    }
}

#[tokio::test]
async fn a_cursor_that_does_not_decode_tells_how_to_reset_and_is_not_shown() {
    let table = [
        (b"\"hunter2\"".as_slice(), "unexpected data"),
        (b"hunter2".as_slice(), "not JSON"),
        (b"[1, 2".as_slice(), "cut short"),
        (b"\xff\x00".as_slice(), "not JSON"),
    ];
    for (bytes, cause) in table {
        let error = Cursor::<Vec<u64>>::from_tick(&ctx(json!({}), Some(bytes))).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Permanent);
        let text = error.to_string();
        assert!(text.contains("reset the job to start over") && text.contains(cause), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

proptest! {
    #[test]
    fn what_an_acknowledgement_stores_the_cursor_reads_back(seen: std::collections::BTreeMap<String, Vec<i64>>) {
        let bytes = TickAck::with_cursor(&seen).unwrap().next_cursor.unwrap();
        let ctx = ctx(json!({}), Some(&bytes));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let Cursor(read) = runtime.block_on(Cursor::from_tick(&ctx)).unwrap();
        prop_assert_eq!(seen, read);
    }

    #[test]
    fn no_config_value_of_six_letters_or_more_reaches_an_error(secret in "[a-z0-9+/ ]{6,20}", at in 0..4usize) {
        // Words of the messages themselves are no secrets.
        prop_assume!(!"invalid type: string, expected u8 config: `max_per_tick` missing field unknown variant".contains(&secret));
        let config = [
            json!({"max_per_tick": secret}),
            json!({"deliver": secret}),
            json!({"deliver": {"channel": secret, "to": 5}}),
            json!([secret]),
        ][at].clone();
        let error = <Config<Jira> as FromTick>::validate(&config).unwrap_err().to_string();
        prop_assert!(!error.contains(&secret), "{}", error);
    }
}

static BUILT: AtomicUsize = AtomicUsize::new(0);

struct Slow(usize);

impl WarmState for Slow {
    async fn build() -> Result<Self, PollerError> {
        // Everybody who asks meanwhile must wait for this one.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Ok(Self(BUILT.fetch_add(1, Ordering::SeqCst)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn warm_state_is_built_once_however_many_ticks_ask_at_once() {
    let asking: Vec<_> = (0..64)
        .map(|_| tokio::spawn(async { State::<Slow>::from_tick(&ctx(json!({}), None)).await.map(|state| state.0) }))
        .collect();
    let mut all = Vec::new();
    for tick in asking {
        all.push(tick.await.unwrap().unwrap());
    }
    assert!(all.iter().all(|state| Arc::ptr_eq(state, &all[0])));
    assert_eq!((all[0].0, BUILT.load(Ordering::SeqCst)), (0, 1));
}

static TRIES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Fragile;

impl WarmState for Fragile {
    async fn build() -> Result<Self, PollerError> {
        match TRIES.fetch_add(1, Ordering::SeqCst) {
            0 => Err(PollerError::transient("not yet")),
            _ => Ok(Self),
        }
    }
}

#[tokio::test]
async fn warm_state_that_could_not_be_built_is_tried_again_at_the_next_tick() {
    let first = State::<Fragile>::from_tick(&ctx(json!({}), None)).await.unwrap_err();
    assert_eq!(first.to_string(), "not yet");
    for _ in 0..2 {
        State::<Fragile>::from_tick(&ctx(json!({}), None)).await.unwrap();
    }
    assert_eq!(TRIES.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_cancellation_token_is_the_ticks_own() {
    let ctx = ctx(json!({}), None);
    let token = CancellationToken::from_tick(&ctx).await.unwrap();
    ctx.cancel.cancel();
    assert!(token.is_cancelled());
}

#[tokio::test]
async fn a_process_that_a_test_plays_has_warm_values_of_its_own() {
    #[derive(Default)]
    struct Warm;
    let (first, second) = (WarmStates::default(), WarmStates::default());
    let value = || async { State::<Warm>::from_tick(&ctx(json!({}), None)).await.unwrap().0 };
    let (here, there, again) = (first.scope(value()).await, second.scope(value()).await, first.scope(value()).await);
    assert!(Arc::ptr_eq(&here, &again));
    assert!(!Arc::ptr_eq(&here, &there));
    assert!(!Arc::ptr_eq(&here, &value().await), "the real process has its own");
}
