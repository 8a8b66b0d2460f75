use std::ops::Range;
use std::time::Duration;

use super::moment::{Moment, stretch};
use super::scenario::{Act, Trouble};
use super::simulation::{Asked, Simulation};

/// What goes wrong, and what an operator does about it.
impl Simulation {
    /// All sources are down: ticks that start meanwhile fail as transient.
    #[track_caller]
    pub fn outage<M: Into<Moment>>(self, when: Range<M>) -> Self {
        self.spell(None, stretch(when), Trouble::Down)
    }

    /// The source of one job is down.
    #[track_caller]
    pub fn outage_of<M: Into<Moment>>(self, job: &str, when: Range<M>) -> Self {
        self.spell(Some(job), stretch(when), Trouble::Down)
    }

    /// All sources answer that they have had enough, and when to come back.
    #[track_caller]
    pub fn rate_limit<M: Into<Moment>>(self, when: Range<M>, retry_after: Duration) -> Self {
        self.spell(None, stretch(when), Trouble::RateLimited(retry_after))
    }

    /// Ticks of one job that start meanwhile take this long.
    #[track_caller]
    pub fn slow<M: Into<Moment>>(self, job: &str, when: Range<M>, takes: Duration) -> Self {
        self.spell(Some(job), stretch(when), Trouble::Slow(takes))
    }

    /// Ticks of one job that start meanwhile never end and ignore their `cancel`; their deadline ends them.
    #[track_caller]
    pub fn hangs<M: Into<Moment>>(self, job: &str, when: Range<M>) -> Self {
        self.spell(Some(job), stretch(when), Trouble::Hangs)
    }

    /// Ticks of one job that start meanwhile fail for good, with `reason`.
    #[track_caller]
    pub fn gone<M: Into<Moment>>(self, job: &str, when: Range<M>, reason: &str) -> Self {
        self.spell(Some(job), stretch(when), Trouble::Gone(reason.to_owned()))
    }

    /// Sets the wall clock by `by_secs`, back where it is negative.
    #[track_caller]
    pub fn clock_jump(self, at: impl Into<Moment>, by_secs: i64) -> Self {
        self.act(at, Act::JumpClock(by_secs.saturating_mul(1000)))
    }

    /// The runner with this number, counted from one, dies without a word and starts again after `down`.
    #[track_caller]
    pub fn crash(self, runner: u8, at: impl Into<Moment>, down: Duration) -> Self {
        self.act(at, Act::Crash { runner: usize::from(runner), down })
    }

    /// The runner with this number, counted from one, is stopped in order and starts again after `down`.
    #[track_caller]
    pub fn restart(self, runner: u8, at: impl Into<Moment>, down: Duration) -> Self {
        self.act(at, Act::Restart { runner: usize::from(runner), down })
    }

    /// What the runner with this number writes to the store is held up, and arrives at the end of `when`.
    #[track_caller]
    pub fn cut_off<M: Into<Moment>>(mut self, runner: u8, when: Range<M>) -> Self {
        self.asked.push(Asked::CutOff { runner, when: stretch(when) });
        self
    }

    /// Every write to the store fails.
    #[track_caller]
    pub fn store_down<M: Into<Moment>>(mut self, when: Range<M>) -> Self {
        self.asked.push(Asked::StoreDown(stretch(when)));
        self
    }

    /// An operator pauses a job, at the first runner that is up.
    #[track_caller]
    pub fn pause(self, job: &str, at: impl Into<Moment>) -> Self {
        self.act(at, Act::Pause(job.to_owned()))
    }

    /// An operator resumes a job.
    #[track_caller]
    pub fn resume(self, job: &str, at: impl Into<Moment>) -> Self {
        self.act(at, Act::Resume(job.to_owned()))
    }

    /// An operator resets a job.
    #[track_caller]
    pub fn reset(self, job: &str, at: impl Into<Moment>) -> Self {
        self.act(at, Act::Reset(job.to_owned()))
    }

    /// An operator runs a job by hand.
    #[track_caller]
    pub fn run_now(self, job: &str, at: impl Into<Moment>) -> Self {
        self.act(at, Act::RunNow(job.to_owned()))
    }

    /// Adds so many faults that the seed chooses: crashes, restarts, outages, set clocks, a store that is down or cut off.
    pub fn random_faults(self, count: usize) -> Self {
        Self { random_faults: count, ..self }
    }

    fn spell(mut self, job: Option<&str>, when: Range<Moment>, trouble: Trouble) -> Self {
        self.asked.push(Asked::Spell { job: job.map(str::to_owned), when, trouble });
        self
    }

    #[track_caller]
    fn act(mut self, at: impl Into<Moment>, act: Act) -> Self {
        self.asked.push(Asked::Act { at: at.into(), act });
        self
    }
}
