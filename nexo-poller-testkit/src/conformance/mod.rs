//! What every poller is held to, in one line.
//!
//! ```ignore
//! nexo_poller_testkit::conformance!(Jira, good_configs(), bad_configs(), JiraWorld);
//! ```
//!
//! makes one test of each check below, which runs as any other and fails with what was expected beside what came. Put the
//! line where the poller's type is in reach: in the tests of `src/main.rs`, in a module of its own.
//!
//! - `Jira`: the type that `#[poller]` makes.
//! - good configs: anything that iterates over [`Value`](serde_json::Value)s which an operator may write.
//! - bad configs: pairs of such a value and the field that the refusal must name.
//! - [`World`]: what stands outside, and how to make something happen in it.
//!
//! | check | holds that |
//! | --- | --- |
//! | `the_manifest_is_valid_and_committed` | what the binary prints is valid and equal to `nexo-plugin.toml`; `NEXO_UPDATE=1` writes that |
//! | `the_kind_keeps_the_rules` | kind and topics are ones that a daemon accepts |
//! | `good_configs_are_accepted` | by the poller, and by its JSON Schema |
//! | `bad_configs_are_refused_by_field` | as config errors whose message names the field |
//! | `an_empty_source_publishes_nothing` | and is no error |
//! | `a_repeated_tick_publishes_nothing_new` | once everything is published |
//! | `the_cursor_survives_the_wire` | base64 there and back, and resumes |
//! | `an_old_cursor_repeats_with_the_same_ids` | a crash between publish and commit: nothing lost, nothing under a new id |
//! | `a_corrupt_cursor_is_refused` | never silently replaced by a default |
//! | `a_failing_host_call_keeps_the_cursor` | each call in turn, with the class that its cause has |
//! | `cancellation_is_observed` | within five seconds |
//! | `the_deadline_is_kept` | a full tick ends well before `tick_timeout_secs` |
//! | `jobs_share_no_state` | what one job has seen is news to another |
//! | `processes_do_what_the_function_does` | in process, over stdio and one process a tick: the same messages, ids and cursor |
//!
//! One that cannot hold is turned off with its reason, which every run prints:
//!
//! ```ignore
//! nexo_poller_testkit::conformance!(Jira, good_configs(), bad_configs(), JiraWorld,
//!     skip a_corrupt_cursor_is_refused: "this poller keeps no cursor");
//! ```
//!
//! A whole one is in the [guide](crate::guide::conformance). A failed check reads like this:
//!
//! ```text
//! conformance: `a_failing_host_call_keeps_the_cursor` of kind `numbers`
//! expected: a transient error where call 1 of `broker_publish` fails (the host cannot be reached: the daemon restarts)
//!   actual: success
//! ```

mod checks;
mod configs;
mod cursors;
mod failures;
mod identity;
mod mismatch;
mod processes;
mod scene;
mod suite;
mod world;

pub use self::suite::Suite;
pub use self::world::World;

/// See the [module](mod@crate::conformance).
#[macro_export]
macro_rules! conformance {
    ($poller:ty, $good:expr, $bad:expr, $world:ty $(, skip $check:ident : $reason:literal)* $(,)?) => {
        $crate::__conformance_tests! {
            $crate::conformance::Suite::<$poller, $world>::new(
                $good,
                $bad,
                ::core::env!("CARGO_MANIFEST_DIR"),
                ::core::option_env!("CARGO_BIN_NAME").unwrap_or(::core::env!("CARGO_PKG_NAME")),
                &[$((::core::stringify!($check), $reason)),*],
            );
            the_manifest_is_valid_and_committed, the_kind_keeps_the_rules, good_configs_are_accepted,
            bad_configs_are_refused_by_field, an_empty_source_publishes_nothing,
            a_repeated_tick_publishes_nothing_new, the_cursor_survives_the_wire,
            an_old_cursor_repeats_with_the_same_ids, a_corrupt_cursor_is_refused,
            a_failing_host_call_keeps_the_cursor, cancellation_is_observed, the_deadline_is_kept, jobs_share_no_state,
            processes_do_what_the_function_does,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($suite:expr; $($check:ident),* $(,)?) => {
        $(
            #[test]
            fn $check() {
                $suite.$check();
            }
        )*
    };
}
