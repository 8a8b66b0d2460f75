use std::fmt;
use std::io::Write as _;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nexo_poller::contract::TickAck;
use nexo_poller::manifest::DeclaredPoller;
use serde_json::Value;

use super::judge::{Found, Mismatch, outcome, report};
use super::{World, configs, cursors, failures, identity, processes};
use crate::{JobTest, Published};

/// Ticks that a poller may take to announce everything.
const MOST_TICKS: usize = 100;
/// A check that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The checks of one poller; made by [`conformance!`](macro@crate::conformance).
pub struct Suite<P, W> {
    pub(super) good: Vec<Value>,
    pub(super) bad: Vec<(Value, String)>,
    pub(super) folder: PathBuf,
    pub(super) bin: String,
    skipped: Vec<(&'static str, &'static str)>,
    now: DateTime<Utc>,
    of: PhantomData<fn() -> (P, W)>,
}

/// Shows how many configs there are, and none of them.
impl<P, W> fmt::Debug for Suite<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Suite")
            .field("bin", &self.bin)
            .field("folder", &self.folder)
            .field("good", &self.good.len())
            .field("bad", &self.bad.len())
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

/// A job in a world, past its first tick: what has happened since is news to it.
pub(super) struct Scene<W> {
    pub(super) world: W,
    /// The cursor that the first tick, which found nothing, has left.
    pub(super) before: Option<Vec<u8>>,
}

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

    fn run(&self, check: &str, found: impl Future<Output = Found>) {
        let kind = P::DECLARATION.kind;
        if let Some((_, reason)) = self.skipped.iter().find(|(name, _)| *name == check) {
            // Past the capture of the test harness: who reads the output of a green run sees it too.
            let _ = writeln!(std::io::stderr(), "conformance: `{check}` of kind `{kind}` is turned off: {reason}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for the check `{check}`: {error}"));
        let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, found).await });
        let late = || Err(Mismatch::new("an end", format!("it still runs after {} s", PATIENCE.as_secs())));
        if let Err(mismatch) = found.unwrap_or_else(|_| late()) {
            panic!("{}", report(check, kind, &mismatch));
        }
    }

    /// A job of the poller that looks at `world`, with a host and a cursor of its own.
    pub(super) fn job(&self, world: &W) -> JobTest {
        self.in_world(JobTest::new(P::default()), world)
    }

    /// `job`, looking at `world`.
    pub(super) fn in_world(&self, job: JobTest, world: &W) -> JobTest {
        let job = job.config(world.config());
        job.clock().set(self.now);
        world.script(job.host());
        job
    }

    /// The same, resumed from `cursor`.
    pub(super) fn resumed(&self, world: &W, cursor: Option<&[u8]>) -> JobTest {
        resume(self.job(world), cursor)
    }

    /// A world with something to announce, and the cursor of a job that has looked at it before.
    pub(super) async fn scene(&self) -> Result<Scene<W>, Mismatch> {
        let mut world = W::empty().await;
        let mut job = self.job(&world);
        succeeds(&mut job, "a first tick of an empty source").await?;
        let before = job.cursor_bytes().map(<[u8]>::to_vec);
        world.fill().await;
        Ok(Scene { world, before })
    }
}

pub(super) fn resume(job: JobTest, cursor: Option<&[u8]>) -> JobTest {
    match cursor {
        Some(cursor) => job.resume_from_bytes(cursor),
        None => job,
    }
}

/// One tick that must succeed.
pub(super) async fn succeeds(job: &mut JobTest, what: &str) -> Result<TickAck, Mismatch> {
    let ticked = job.try_tick().await;
    ticked.map_err(|error| Mismatch::new(format!("{what} that succeeds"), outcome(&Err(error))))
}

/// Ticks until nothing more is published; what was.
pub(super) async fn drain(job: &mut JobTest) -> Result<Vec<Published>, Mismatch> {
    for _ in 0..MOST_TICKS {
        let before = job.host().published().len();
        succeeds(job, "a tick").await?;
        if job.host().published().len() == before {
            return Ok(job.host().published());
        }
    }
    Err(Mismatch::new("a tick that finds nothing more to publish", format!("none of {MOST_TICKS} in a row is one")))
}

/// What was published, and that it was something.
pub(super) fn news(job: &JobTest) -> Result<Vec<Published>, Mismatch> {
    let published = job.host().published();
    if published.is_empty() {
        return Err(Mismatch::new("a message at the first tick after `World::fill`", "none"));
    }
    Ok(published)
}
