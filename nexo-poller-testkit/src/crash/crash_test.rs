use std::fmt::Write as _;
use std::panic::Location;
use std::time::Duration;

use super::report::resumed;
use super::{CrashReport, Point};
use crate::{JobTest, Published};

/// Kills a job in the middle of a tick, resumes it from its durable cursor, and holds what came out against a run that
/// nobody disturbed: nothing may be lost, and what repeats must repeat with the same id.
///
/// It is made of a closure that builds the whole world again (poller, config, scripted host, source), because each crash
/// needs two: the one that is disturbed and the one that is not.
///
/// ```
/// use nexo_poller::prelude::*;
/// use nexo_poller_testkit::{CrashTest, JobTest, Point};
///
/// /// Announces three numbers, each once.
/// #[poller(kind = "three", publish = ["plugin.outbound.console.*"], main = false)]
/// async fn three(ctx: &PollContext, Cursor(done): Cursor<u32>) -> Result<TickAck, PollerError> {
///     for number in done + 1..=3 {
///         ctx.publish("plugin.outbound.console.console", &json!({"to": "me", "text": number.to_string()})).await?;
///     }
///     TickAck::with_cursor(&3)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let crash = CrashTest::new(|| JobTest::new(Three));
///
/// let report = crash.crash_at(Point::AfterPublish(2)).await;
/// assert_eq!(report.repeated().len(), 2, "{report}");
///
/// // Before the tick, after each publish, before and after the commit:
/// let reports = crash.everywhere().await;
/// assert_eq!(reports.len(), 6);
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a crash test does nothing until it is told where to crash"]
pub struct CrashTest<W> {
    world: W,
    ticks: usize,
    restart_after: Duration,
}

impl<W: Fn() -> JobTest> CrashTest<W> {
    /// A crash test over worlds that `world` makes. They must be alike: the same source, the same host.
    pub fn new(world: W) -> Self {
        Self { world, ticks: 1, restart_after: Duration::ZERO }
    }

    /// Sets how many ticks have to succeed before all is said to be published (1); more for a poller that takes only so
    /// many items at a time. The crash is in the first one.
    pub fn ticks(self, ticks: usize) -> Self {
        Self { ticks: ticks.max(1), ..self }
    }

    /// Sets how much later the job is resumed (at once). A payload that has the time of its tick in it then differs from
    /// the copy before the crash, and so does its id.
    pub fn restart_after(self, pause: Duration) -> Self {
        Self { restart_after: pause, ..self }
    }

    /// The crash, the resume, and what came of both.
    ///
    /// # Panics
    /// Where a message is lost or repeats with another id, where the tick never comes to `point`, and where another tick
    /// fails.
    #[track_caller]
    pub fn crash_at(&self, point: Point) -> impl Future<Output = CrashReport> + '_ {
        let caller = Location::caller();
        async move {
            let undisturbed = self.undisturbed(caller).await;
            self.disturbed(point, &undisturbed, caller).await
        }
    }

    /// A crash at each point of the first tick in turn, in their order.
    ///
    /// # Panics
    /// As [`crash_at`](Self::crash_at).
    #[track_caller]
    pub fn everywhere(&self) -> impl Future<Output = Vec<CrashReport>> + '_ {
        let caller = Location::caller();
        async move {
            let undisturbed = self.undisturbed(caller).await;
            let publishes = (1..=undisturbed.in_first_tick).map(Point::AfterPublish);
            let points =
                [Point::BeforeTick].into_iter().chain(publishes).chain([Point::BeforeCommit, Point::AfterCommit]);
            let mut reports = Vec::new();
            for point in points {
                reports.push(self.disturbed(point, &undisturbed, caller).await);
            }
            reports
        }
    }

    async fn undisturbed(&self, caller: &Location<'_>) -> Undisturbed {
        let mut job = (self.world)();
        self.tick(&mut job, "without a crash", caller).await;
        let in_first_tick = job.host().published().len();
        for _ in 1..self.ticks {
            self.tick(&mut job, "without a crash", caller).await;
        }
        Undisturbed { in_first_tick, published: job.host().published() }
    }

    async fn disturbed(&self, point: Point, undisturbed: &Undisturbed, caller: &Location<'_>) -> CrashReport {
        let mut job = (self.world)();
        let crashed = match job.try_crash_at(point).await {
            Ok(crashed) => crashed,
            Err(actual) => panic!("\nexpected: a tick that dies {point}\n  actual: {actual}\n      at: {caller}\n"),
        };
        job.advance(self.restart_after);
        let resumed_from = job.cursor_bytes().map(<[u8]>::to_vec);
        let done = usize::from(point == Point::AfterCommit);
        for _ in done..self.ticks {
            self.tick(&mut job, &format!("after a crash {point}"), caller).await;
        }
        let published = job.host().published();
        let before = crashed.published.len();
        let verdict = Verdict { point, undisturbed: &undisturbed.published, before, published: &published };
        verdict.hold(resumed_from.as_deref(), caller);
        CrashReport::new(point, resumed_from, published)
    }

    async fn tick(&self, job: &mut JobTest, when: &str, caller: &Location<'_>) {
        if let Err(error) = job.try_tick().await {
            panic!("\nexpected: a tick {when} that succeeds\n  actual: {error}\n      at: {caller}\n");
        }
    }
}

/// What a run without a crash publishes.
struct Undisturbed {
    in_first_tick: usize,
    published: Vec<Published>,
}

/// What must hold of a run with a crash.
struct Verdict<'a> {
    point: Point,
    undisturbed: &'a [Published],
    /// How many of `published` came before the crash.
    before: usize,
    published: &'a [Published],
}

impl Verdict<'_> {
    fn hold(&self, resumed_from: Option<&[u8]>, caller: &Location<'_>) {
        let known = |ids: &[Published], message: &Published| ids.iter().any(|other| other.id == message.id);
        let others: Vec<&Published> =
            self.published.iter().filter(|message| !known(self.undisturbed, message)).collect();
        if !others.is_empty() {
            let expected = "messages with the ids that they have without a crash, so that a copy can be dropped";
            self.fail(expected, "changed", &others, resumed_from, caller);
        }
        let lost: Vec<&Published> = self.undisturbed.iter().filter(|message| !known(self.published, message)).collect();
        if !lost.is_empty() {
            self.fail("everything that a run without a crash publishes", "lost", &lost, resumed_from, caller);
        }
    }

    fn fail(
        &self,
        expected: &str,
        what: &str,
        messages: &[&Published],
        resumed_from: Option<&[u8]>,
        caller: &Location<'_>,
    ) -> ! {
        let (before, after) = self.published.split_at(self.before);
        let count = match messages.len() {
            1 => "1 message".to_owned(),
            count => format!("{count} messages"),
        };
        let mut text = format!("\nexpected: {expected}\n  actual: {count} {what} by a crash {}\n", self.point);
        list(&mut text, messages.iter().copied());
        text.push_str("published before the crash:\n");
        list(&mut text, before.iter());
        // Writing into a String does not fail.
        let _ = writeln!(text, "published after it, resumed {}:", resumed(resumed_from));
        list(&mut text, after.iter());
        panic!("{text}      at: {caller}\n");
    }
}

fn list<'a>(text: &mut String, messages: impl ExactSizeIterator<Item = &'a Published>) {
    if messages.len() == 0 {
        text.push_str("          nothing\n");
    }
    for (number, message) in messages.enumerate() {
        let _ = writeln!(text, "          {}. {message}", number + 1);
    }
}
