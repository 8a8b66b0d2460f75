use std::fmt;
use std::io::Write as _;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use nexo_poller::manifest::DeclaredPoller;
use serde_json::Value;

use super::World;
use super::mismatch::{Found, Mismatch, report};
use super::scene::{Scene, resume, succeeds};
use crate::JobTest;

/// A check that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// The checks of one poller; made by [`conformance!`](macro@crate::conformance).
pub struct Suite<P, W> {
    pub(super) good: Vec<Value>,
    pub(super) bad: Vec<(Value, String)>,
    pub(super) folder: PathBuf,
    pub(super) bin: String,
    pub(super) skipped: Vec<(&'static str, &'static str)>,
    pub(super) now: DateTime<Utc>,
    pub(super) of: PhantomData<fn() -> (P, W)>,
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

impl<P: DeclaredPoller + Default, W: World> Suite<P, W> {
    pub(super) fn run(&self, check: &str, found: impl Future<Output = Found>) {
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
