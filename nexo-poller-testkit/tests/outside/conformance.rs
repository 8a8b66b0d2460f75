//! Each check of the suite finds the poller that it is there for, and says so in a way that a person can act on.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::prelude::*;
use nexo_poller_testkit::conformance::{Suite, World};

/// What is wrong with a poller that announces numbers.
const NOTHING: u8 = 0;
const KEEPS_NO_CURSOR: u8 = 1;
const SWALLOWS_ERRORS: u8 = 2;
const STARTS_OVER: u8 = 3;
const NAMES_NO_FIELD: u8 = 4;
const SHARES: u8 = 5;
const INVENTS: u8 = 6;
const CHATTERS: u8 = 7;
const IS_DEAF: u8 = 8;
const IS_SLOW: u8 = 9;
const LIES_IN_ITS_SCHEMA: u8 = 10;

/// Announces the numbers up to `items`; `FAULT` says what it does wrong.
#[derive(Default)]
struct Numbers<const FAULT: u8>;

static SHARED: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
static INVENTED: AtomicU64 = AtomicU64::new(0);

#[async_trait]
impl<const FAULT: u8> Poller for Numbers<FAULT> {
    fn kind(&self) -> &'static str {
        "numbers"
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        match config["items"].as_u64() {
            Some(_) => Ok(()),
            None if FAULT == NAMES_NO_FIELD => Err(PollerError::config("that is no use")),
            None => Err(PollerError::config("config: `items` must be a number")),
        }
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let read = Cursor::<u64>::from_tick(ctx).await;
        let Cursor(done) = if FAULT == STARTS_OVER { read.unwrap_or(Cursor(0)) } else { read? };
        let items = ctx.config["items"].as_u64().unwrap();
        if FAULT == CHATTERS {
            ctx.publish("plugin.outbound.console.console", &json!({"text": "still nothing"})).await?;
        }
        if FAULT == IS_DEAF && items > 0 {
            std::future::pending::<()>().await;
        }
        if FAULT == IS_SLOW && items > 0 {
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
        for number in done..items {
            if FAULT == SHARES && !SHARED.lock().unwrap().insert(number) {
                continue;
            }
            let text = if FAULT == INVENTS { INVENTED.fetch_add(1, Ordering::Relaxed) } else { number };
            let published = ctx.publish("plugin.outbound.console.console", &json!({"text": text})).await;
            if FAULT != SWALLOWS_ERRORS {
                published?;
            }
        }
        if FAULT == KEEPS_NO_CURSOR { Ok(TickAck::new()) } else { TickAck::with_cursor(&items) }
    }
}

impl<const FAULT: u8> DeclaredPoller for Numbers<FAULT> {
    const DECLARATION: Declaration = Declaration::new("numbers", Package::new("numbers", "0.1.0"))
        .publish(&["plugin.outbound.>"])
        .tick_timeout_secs(1);

    fn config_schema() -> Option<schemars::Schema> {
        let kind = if FAULT == LIES_IN_ITS_SCHEMA { "string" } else { "integer" };
        json!({"type": "object", "properties": {"items": {"type": kind}}}).try_into().ok()
    }
}

struct Items(u64);

impl World for Items {
    async fn empty() -> Self {
        Self(0)
    }

    async fn fill(&mut self) {
        self.0 = 3;
    }

    fn config(&self) -> Value {
        json!({"items": self.0})
    }
}

fn suite<const FAULT: u8>() -> Suite<Numbers<FAULT>, Items> {
    Suite::new([json!({"items": 7})], [(json!({"items": "many"}), "items")], env!("CARGO_MANIFEST_DIR"), "numbers", &[])
}

/// What the check says of the poller.
fn said(check: impl FnOnce()) -> String {
    let Err(panicked) = catch_unwind(AssertUnwindSafe(check)) else { panic!("the check finds nothing") };
    panicked.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_sound_poller_passes() {
    let suite = suite::<NOTHING>();
    suite.the_kind_keeps_the_rules();
    suite.good_configs_are_accepted();
    suite.bad_configs_are_refused_by_field();
    suite.an_empty_source_publishes_nothing();
    suite.a_repeated_tick_publishes_nothing_new();
    suite.the_cursor_survives_the_wire();
    suite.an_old_cursor_repeats_with_the_same_ids();
    suite.a_corrupt_cursor_is_refused();
    suite.a_failing_host_call_keeps_the_cursor();
    suite.cancellation_is_observed();
    suite.the_deadline_is_kept();
    suite.jobs_share_no_state();
}

#[test]
fn a_poller_that_keeps_no_cursor_publishes_again_for_ever() {
    assert_eq!(
        said(|| suite::<KEEPS_NO_CURSOR>().a_repeated_tick_publishes_nothing_new()),
        "\nconformance: `a_repeated_tick_publishes_nothing_new` of kind `numbers`\n\
         expected: a tick that finds nothing more to publish\n  actual: none of 100 in a row is one\n"
    );
}

#[test]
fn a_poller_that_swallows_an_error_loses_a_message() {
    assert_eq!(
        said(|| suite::<SWALLOWS_ERRORS>().a_failing_host_call_keeps_the_cursor()),
        "\nconformance: `a_failing_host_call_keeps_the_cursor` of kind `numbers`\n\
         expected: a transient error where call 1 of `broker_publish` fails (the host cannot be reached: the daemon restarts)\n  actual: success\n"
    );
}

#[test]
fn a_poller_that_replaces_a_corrupt_cursor_is_found() {
    let said = said(|| suite::<STARTS_OVER>().a_corrupt_cursor_is_refused());
    assert!(said.ends_with("to be refused for good, before anything is published\n  actual: success\n"), "{said}");
}

#[test]
fn a_refusal_that_names_no_field_is_no_help() {
    let said = said(|| suite::<NAMES_NO_FIELD>().bad_configs_are_refused_by_field());
    assert!(
        said.contains("expected: {\"items\":\"many\"} to be refused as a config error that names `items`"),
        "{said}"
    );
    assert!(said.contains("  actual: a config error: that is no use"), "{said}");
}

#[test]
fn state_that_jobs_share_is_found() {
    let said = said(|| suite::<SHARES>().jobs_share_no_state());
    assert!(said.contains("a message at the first tick") || said.contains("another job to publish"), "{said}");
}

#[test]
fn a_message_that_differs_at_each_try_is_found() {
    let said = said(|| suite::<INVENTS>().an_old_cursor_repeats_with_the_same_ids());
    assert!(said.contains("expected: the same messages under the same ids:\n          "), "{said}");
}

#[test]
fn a_message_about_nothing_is_found() {
    let said = said(|| suite::<CHATTERS>().an_empty_source_publishes_nothing());
    assert!(said.contains("expected: nothing published from an empty source"), "{said}");
    assert!(said.contains("plugin.outbound.console.console  {\"text\":\"still nothing\"}"), "{said}");
}

#[test]
fn a_tick_that_listens_to_nothing_is_found() {
    let said = said(|| suite::<IS_DEAF>().cancellation_is_observed());
    assert!(said.contains("expected: an end within 5 s of `cancel`"), "{said}");
}

#[test]
fn a_tick_that_takes_most_of_its_deadline_is_found() {
    let said = said(|| suite::<IS_SLOW>().the_deadline_is_kept());
    assert!(said.contains("less than half of its tick_timeout_secs = 1"), "{said}");
}

#[test]
fn a_schema_that_says_something_else_than_the_poller_is_found() {
    let said = said(|| suite::<LIES_IN_ITS_SCHEMA>().good_configs_are_accepted());
    assert!(said.contains("expected: the JSON Schema to accept {\"items\":7}, as the poller does"), "{said}");
    assert!(said.contains("at `/items`"), "{said}");
}

#[test]
fn a_binary_that_is_not_there_is_named() {
    let said = said(|| suite::<NOTHING>().the_manifest_is_valid_and_committed());
    assert!(said.contains("`cargo build` of the binary `numbers` in") && said.contains("no bin target"), "{said}");
}

#[test]
fn a_check_is_turned_off_with_a_reason_only_and_only_if_there_is_one() {
    let off = |skipped: &'static [(&'static str, &'static str)]| {
        let none: [(Value, &str); 0] = [];
        Suite::<Numbers<CHATTERS>, Items>::new([], none, "", "", skipped)
    };
    off(&[("an_empty_source_publishes_nothing", "it says that it lives")]).an_empty_source_publishes_nothing();
    assert!(said(|| drop(off(&[("everything", "no time")]))).starts_with("there is no check `everything`; there are "));
    assert!(said(|| drop(off(&[("jobs_share_no_state", " ")]))).contains("without a reason"));
}
