use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use nexo_poller::contract::Poller;
use nexo_poller::manifest::{DeclaredPoller, PollerSection};
use nexo_poller::runner::{JobSpec, KindLimits, RunnerOptions};
use nexo_poller::store::{MemoryStore, StateStore, UnixMs};

use super::history::SimulatedJob;
use super::moment::Moment;
use super::scenario::{Act, Trouble};
use crate::clock::read_time;
use crate::host::MockPollerHost;

/// The runner under virtual time: weeks of a job's life in less than a second, and the same seed gives the same history.
///
/// What runs is the real thing: schedules, policy, engine, leases and store are the ones that the daemon has. Only time and
/// trouble are the test's.
///
/// ```
/// use nexo_poller::runner::{JobSpec, Schedule};
/// use nexo_poller_testkit::sim::{Simulation, days, hours};
///
/// let nightly = Schedule::cron("0 30 2 * * *", Some("Europe/Berlin"))?;
/// let history = Simulation::new(7)
///     .start_at("2026-03-28T00:00:00Z")
///     .job(JobSpec::new("nightly", "backup", "ana", nightly))
///     .outage(hours(50)..hours(51))
///     .run_for(days(3));
///
/// // On 29 March there was no 02:30 in Berlin.
/// let slots = ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"];
/// history.assert_slots("nightly", slots);
/// # Ok::<(), nexo_poller::runner::ScheduleError>(())
/// ```
#[must_use = "a simulation does nothing until it is run"]
pub struct Simulation {
    pub(super) seed: u64,
    pub(super) start: UnixMs,
    pub(super) jobs: Vec<JobSpec>,
    pub(super) pollers: Vec<(Arc<dyn Poller>, KindLimits)>,
    pub(super) host: MockPollerHost,
    pub(super) options: RunnerOptions,
    pub(super) runners: u8,
    pub(super) latency: Duration,
    pub(super) store: StoreMaker,
    pub(super) asked: Vec<Asked>,
    pub(super) random_faults: usize,
    pub(super) with_engine: bool,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed)
            .field("start", &self.start)
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

/// Makes the store of a simulation of the one that it would have.
pub(super) type StoreMaker = Box<dyn FnOnce(MemoryStore) -> Arc<dyn StateStore> + Send>;

/// Something of the scenario, in the instants in which the test gave it.
pub(super) enum Asked {
    Spell { job: Option<String>, when: Range<Moment>, trouble: Trouble },
    Act { at: Moment, act: Act },
    StoreDown(Range<Moment>),
    CutOff { runner: u8, when: Range<Moment> },
}

impl Simulation {
    /// An empty simulation from 2026-01-05T12:00:00Z, a Monday, on.
    pub fn new(seed: u64) -> Self {
        let mut options = RunnerOptions::default();
        // The simulated clock tells when it is set; looking at it would only cost time.
        options.clock_check = Duration::from_secs(86_400);
        // A store in memory gains nothing by waiting for more to write.
        options.batch_window = Duration::ZERO;
        Self {
            seed,
            start: UnixMs::from(read_time("2026-01-05T12:00:00Z")),
            jobs: Vec::new(),
            pollers: Vec::new(),
            host: MockPollerHost::new(),
            options,
            runners: 1,
            latency: Duration::ZERO,
            store: Box::new(|store| Arc::new(store)),
            asked: Vec::new(),
            random_faults: 0,
            with_engine: true,
        }
    }

    /// The seed, for a test that varies more than the simulation does by itself.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Starts at `start`, as in `2026-03-29T00:00:00Z`.
    ///
    /// # Panics
    /// Where `start` is no RFC 3339 time.
    #[track_caller]
    pub fn start_at(self, start: &str) -> Self {
        Self { start: UnixMs::from(read_time(start)), ..self }
    }

    /// Adds a job. Unless its kind is given a poller, it counts its ticks in its cursor and takes no time.
    pub fn job(self, job: JobSpec) -> Self {
        self.jobs([job])
    }

    /// Adds jobs.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = JobSpec>) -> Self {
        self.jobs.extend(jobs);
        self
    }

    /// Runs the jobs of this poller's kind with it, within the limits that its manifest sets.
    pub fn poller<P: DeclaredPoller>(self, poller: P) -> Self {
        let declared = &P::DECLARATION;
        let timeout = declared.tick_timeout_secs.unwrap_or_else(PollerSection::default_tick_timeout_secs);
        let at_once = declared.max_concurrent_ticks.and_then(|most| usize::try_from(most).ok()).unwrap_or(1);
        let limits = KindLimits::new(at_once, Duration::from_secs(timeout.into()));
        self.poller_within(poller, limits)
    }

    /// Runs the jobs of this poller's kind with it, within `limits`.
    pub fn poller_within(mut self, poller: impl Poller, limits: KindLimits) -> Self {
        self.pollers.push((Arc::new(poller), limits));
        self
    }

    /// The host that the ticks of real pollers see: script it, and look at what it recorded afterwards.
    pub fn host(self, host: &MockPollerHost) -> Self {
        Self { host: host.clone(), ..self }
    }

    /// Changes the runner's options.
    pub fn options(mut self, change: impl FnOnce(&mut RunnerOptions)) -> Self {
        change(&mut self.options);
        self
    }

    /// Lets so many runners compete for one store, 1 to 8.
    pub fn runners(self, count: u8) -> Self {
        Self { runners: count.clamp(1, 8), ..self }
    }

    /// Each way to the store and each way back takes up to this. A runner may then die between a write and its answer.
    pub fn store_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// Puts `make`'s store in the place of the one in memory, which it is given: to break it on purpose, say.
    pub fn store(self, make: impl FnOnce(MemoryStore) -> Arc<dyn StateStore> + Send + 'static) -> Self {
        Self { store: Box::new(make), ..self }
    }

    /// Leaves the engine out: schedules and policy decide alone, one tick at a time, without leases, limits and restarts.
    /// For very many jobs: it is some thirty times faster, and the decisions are the same.
    pub fn without_engine(self) -> Self {
        Self { with_engine: false, ..self }
    }

    pub(super) fn lanes(&self) -> Vec<SimulatedJob> {
        let lane = |job: &JobSpec| SimulatedJob {
            id: job.id.clone(),
            schedule: job.schedule.to_string(),
            zone: job.schedule.time_zone().unwrap_or("UTC").to_owned(),
        };
        self.jobs.iter().map(lane).collect()
    }
}
