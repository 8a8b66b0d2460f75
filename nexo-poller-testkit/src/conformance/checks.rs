use std::marker::PhantomData;

use chrono::Utc;
use nexo_poller::manifest::DeclaredPoller;
use serde_json::Value;

use super::{Suite, World, configs, cursors, failures, identity, processes};

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident => $check:path;)*) => {
        /// The checks; see the [module](mod@crate::conformance). Each panics where it does not hold.
        impl<P: DeclaredPoller + Default, W: World> Suite<P, W> {
            $(
                $(#[$doc])*
                ///
                /// # Panics
                /// Where the check does not hold.
                pub fn $name(&self) {
                    self.run(stringify!($name), $check(self));
                }
            )*

            const NAMES: &[&'static str] = &[$(stringify!($name)),*];
        }
    };
}

checks! {
    /// What the binary prints is valid and equal to `nexo-plugin.toml`.
    the_manifest_is_valid_and_committed => identity::manifest;
    /// Kind and topics are ones that a daemon accepts.
    the_kind_keeps_the_rules => identity::kind;
    /// Good configs are accepted by the poller and by its JSON Schema.
    good_configs_are_accepted => configs::good;
    /// Bad configs are refused with a message that names the field.
    bad_configs_are_refused_by_field => configs::bad;
    /// An empty source is no error and no message.
    an_empty_source_publishes_nothing => cursors::empty;
    /// A tick that repeats one after which everything was published publishes nothing.
    a_repeated_tick_publishes_nothing_new => cursors::repeated;
    /// A cursor is the same after its way over the wire, and resumes.
    the_cursor_survives_the_wire => cursors::round_trip;
    /// After a crash between publish and commit the same is published under the same ids.
    an_old_cursor_repeats_with_the_same_ids => cursors::old;
    /// A corrupt cursor is an error.
    a_corrupt_cursor_is_refused => cursors::corrupt;
    /// A failing call to the host fails the tick with its class and moves no cursor.
    a_failing_host_call_keeps_the_cursor => failures::host_calls;
    /// A cancelled tick ends within five seconds.
    cancellation_is_observed => failures::cancellation;
    /// A full tick ends before its deadline.
    the_deadline_is_kept => failures::deadline;
    /// What one job has seen is news to another.
    jobs_share_no_state => failures::shared_state;
    /// The binary does what the function does.
    processes_do_what_the_function_does => processes::alike;
}

impl<P: DeclaredPoller + Default, W: World> Suite<P, W> {
    /// A suite of `P` in worlds of the type `W`. `folder` is the crate's, `bin` its binary; `skipped` names checks that are
    /// turned off, each with its reason.
    ///
    /// # Panics
    /// Where a check is turned off that does not exist, or without a reason.
    #[must_use]
    pub fn new<S: Into<String>>(
        good: impl IntoIterator<Item = Value>,
        bad: impl IntoIterator<Item = (Value, S)>,
        folder: &str,
        bin: &str,
        skipped: &[(&'static str, &'static str)],
    ) -> Self {
        for (check, reason) in skipped {
            assert!(Self::NAMES.contains(check), "there is no check `{check}`; there are {}", Self::NAMES.join(", "));
            assert!(!reason.trim().is_empty(), "the check `{check}` is turned off without a reason");
        }
        Self {
            good: good.into_iter().collect(),
            bad: bad.into_iter().map(|(config, field)| (config, field.into())).collect(),
            folder: folder.into(),
            bin: bin.to_owned(),
            skipped: skipped.to_vec(),
            now: Utc::now(),
            of: PhantomData,
        }
    }
}
