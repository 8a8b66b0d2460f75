//! One task that owns all jobs: a timeline, batches to the store, ticks in flight.
//!
//! A job goes round: timeline → parked or ready → claim → tick → commit → timeline. Nothing of a job is held by a task
//! or a timer of its own but while its tick runs, and nothing becomes due again before its last outcome is durable.

mod alerts;
mod answers;
mod commands;
mod deadlines;
mod due;
mod job;
mod kinds;
mod observe;
mod outbox;
mod outcomes;
mod prepared;
mod reload;
mod runs;
mod share;
mod shutdown;
mod status;
mod tick;
mod timeline;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

pub(crate) use self::commands::{Command, Edit, Install};
use self::job::Phase;
pub(crate) use self::job::{Counters, Job};
use self::kinds::Kinds;
use self::outbox::{Outbox, PendingEdit};
pub(crate) use self::prepared::{Prepared, Preparer};
use self::runs::Runs;
use self::shutdown::Draining;
use self::tick::Ended;
use self::timeline::Timeline;
use super::hosts::HostProvider;
use super::policy::{self, Change, Rules};
use super::seed::Sequence;
use super::{PollerRegistry, RunnerError, RunnerOptions};
use crate::store::{Batch, Clock, StateStore, StoreError, UnixMs};

/// Wall time that runs ahead of or behind elapsed time by more than this was set.
const JUMP: i64 = 5_000;
/// A store that failed is tried again after this.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// Fewer ticks a second than this are a trickle.
const TRICKLE: f64 = 4_000.0;
/// With this much to write, it is not waited for more.
const FULL_BATCH: usize = 512;

pub(crate) struct Engine {
    store: Arc<dyn StateStore>,
    hosts: Arc<dyn HostProvider>,
    registry: PollerRegistry,
    clock: Arc<dyn Clock>,
    options: RunnerOptions,
    rules: Rules,
    owner: Arc<str>,
    random: Sequence,

    jobs: Vec<Option<Box<Job>>>,
    free: Vec<u32>,
    by_id: HashMap<Arc<str>, u32>,
    kinds: Kinds,
    timeline: Timeline,
    /// Jobs with a place of their kind that wait for one of `max_in_flight`.
    ready: VecDeque<u32>,
    claiming: usize,
    runs: Runs,
    /// Jobs whose abandoned tick has not gone yet.
    abandoned: HashSet<u32>,
    outbox: Outbox,
    last_flush: Instant,
    /// When the last batch that started any ticks was sent, and how many a second it made.
    last_claims: (Instant, f64),
    trouble: Option<Trouble>,
    draining: Option<Draining>,
    lag: super::metrics::Lag,

    commands: mpsc::UnboundedReceiver<Command>,
    ended: mpsc::UnboundedReceiver<Ended>,
    ended_sender: mpsc::UnboundedSender<Ended>,
    registrations: watch::Receiver<u64>,
    /// Tells when the daemons that share the jobs have changed.
    neighbours: Option<watch::Receiver<u64>>,
    wall_seen: UnixMs,
    elapsed_seen: Instant,
}

/// The store does not work.
struct Trouble {
    error: StoreError,
    since: UnixMs,
    retry_at: Instant,
    said_at: Instant,
}

/// What woke the engine.
enum Woken {
    Command(Option<Command>),
    Ended,
    Answered(Box<(outbox::Sent, Result<crate::store::Answers, StoreError>)>),
    Registration,
    Neighbours,
    Time,
}

impl Engine {
    pub(crate) fn new(
        store: Arc<dyn StateStore>,
        registry: PollerRegistry,
        hosts: Arc<dyn HostProvider>,
        options: RunnerOptions,
        clock: Arc<dyn Clock>,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let (ended_sender, ended) = mpsc::unbounded_channel();
        let wall_seen = clock.now();
        Self {
            rules: Rules::from(&options),
            owner: Arc::from(options.owner.as_str()),
            random: Sequence::new(options.seed),
            registrations: registry.changes(),
            neighbours: options.sharing.as_ref().map(|sharing| sharing.changes()),
            store,
            hosts,
            registry,
            clock,
            options,
            jobs: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            kinds: Kinds::default(),
            timeline: Timeline::default(),
            ready: VecDeque::new(),
            claiming: 0,
            runs: Runs::default(),
            abandoned: HashSet::new(),
            outbox: Outbox::default(),
            last_flush: Instant::now(),
            last_claims: (Instant::now(), 0.0),
            trouble: None,
            draining: None,
            lag: super::metrics::Lag::default(),
            commands,
            ended,
            ended_sender,
            wall_seen,
            elapsed_seen: Instant::now(),
        }
    }

    /// Runs until it is shut down, or until nobody holds a handle any more.
    pub(crate) async fn run(mut self) {
        let mut ended = Vec::new();
        loop {
            match self.wait(&mut ended).await {
                Woken::Command(Some(command)) => self.command(command),
                Woken::Command(None) => self.start_draining(Duration::ZERO, None),
                Woken::Ended => {
                    let now = self.clock.now();
                    for gone in ended.drain(..) {
                        self.tick_ended(gone, now);
                    }
                }
                Woken::Answered(answer) => self.answered(answer.0, answer.1),
                Woken::Registration => self.refresh_kinds(),
                Woken::Neighbours => self.share_anew(),
                Woken::Time => {}
            }
            // Whatever else has come meanwhile goes into the same round.
            while let Ok(command) = self.commands.try_recv() {
                self.command(command);
            }
            self.notice_clock_jumps();
            self.pump();
            if self.drained() {
                return;
            }
        }
    }

    async fn wait(&mut self, ended: &mut Vec<Ended>) -> Woken {
        let wait = self.longest_wait();
        let clock = Arc::clone(&self.clock);
        let draining = self.draining.is_some();
        tokio::select! {
            // The same events give the same steps. Nothing starves: each step takes everything else that has come.
            biased;
            count = self.ended.recv_many(ended, 4096) => {
                debug_assert!(count > 0, "the engine holds a sender");
                Woken::Ended
            }
            answer = self.outbox.answered() => Woken::Answered(Box::new(answer)),
            command = self.commands.recv(), if !draining => Woken::Command(command),
            () = share::changed(&mut self.neighbours) => Woken::Neighbours,
            changed = self.registrations.changed() => {
                match changed {
                    Ok(()) => Woken::Registration,
                    // The engine holds the registry; this cannot end the loop, only idle it.
                    Err(_) => Woken::Time,
                }
            }
            () = clock.sleep(wait) => Woken::Time,
        }
    }

    /// How long nothing is to be done, unless something happens.
    fn longest_wait(&mut self) -> Duration {
        let elapsed = Instant::now();
        let mut wait = self.options.clock_check;
        if let Some(check) = self.runs.next_check() {
            wait = wait.min(check.saturating_duration_since(elapsed));
        }
        if let Some(draining) = &self.draining {
            wait = wait.min(draining.until.saturating_duration_since(elapsed));
        }
        let window = (self.last_flush + self.window()).saturating_duration_since(elapsed);
        if let Some(trouble) = &self.trouble {
            return wait.min(trouble.retry_at.saturating_duration_since(elapsed)).max(Duration::from_millis(1));
        }
        if self.outbox.pending() > 0 && self.outbox.on_the_way() == 0 {
            wait = wait.min(window);
        }
        if self.draining.is_none()
            && let Some(due) = self.timeline.next()
        {
            // Jobs that are due within the window start together.
            wait = wait.min(due.since(self.clock.now()).max(window));
        }
        // Timers have whole milliseconds, and zero would spin on a clock that stands still.
        wait.max(Duration::from_millis(1))
    }

    /// Moves everything that can move.
    fn pump(&mut self) {
        self.attend_to_runs();
        if let Some(trouble) = &self.trouble
            && trouble.retry_at > Instant::now()
        {
            return;
        }
        if self.draining.is_none() && self.trouble.is_none() {
            self.take_due();
            self.claim_ready();
        }
        self.flush();
        self.ask_again();
    }

    /// Where what failed is waited for by nobody any more (an operator's change, say), the store is asked with nothing to write:
    /// without an answer no tick would start again.
    fn ask_again(&mut self) {
        let nothing_waits = self.outbox.pending() == 0 && self.outbox.on_the_way() == 0;
        if self.trouble.is_some() && self.draining.is_none() && nothing_waits {
            let sent = outbox::Sent::default();
            let batch = self.batch(&sent);
            self.outbox.send(&self.store, sent, batch);
        }
    }

    fn flush(&mut self) {
        while self.outbox.may_send() {
            let elapsed = Instant::now();
            let window_over = elapsed >= self.last_flush + self.window();
            let full = self.outbox.pending() >= FULL_BATCH;
            let idle = self.outbox.on_the_way() == 0;
            if !(full || (idle && window_over) || self.draining.is_some()) {
                return;
            }
            self.last_flush = elapsed;
            let mut sent = self.outbox.take();
            // Neighbouring rows share a page of the store.
            let key_of = |slot: u32| self.jobs[slot as usize].as_ref().map_or(i64::MAX, |job| job.key);
            sent.claims.sort_unstable_by_key(|(slot, _)| key_of(*slot));
            sent.commits.sort_unstable_by_key(|commit| key_of(commit.slot));
            sent.edits.sort_unstable_by_key(|edit| key_of(edit.slot));
            if !sent.claims.is_empty() {
                let since = elapsed.saturating_duration_since(self.last_claims.0).max(Duration::from_millis(1));
                // A bench of millions is far within a float's whole numbers.
                self.last_claims = (elapsed, sent.claims.len() as f64 / since.as_secs_f64());
            }
            let batch = self.batch(&sent);
            self.outbox.send(&self.store, sent, batch);
            if self.trouble.is_some() {
                return;
            }
        }
    }

    /// What falls within this is written together. A trickle waits longer: each write costs the machine the same, however
    /// little is in it. A single job does not notice, because the window counts from the last write.
    fn window(&self) -> Duration {
        let window = self.options.batch_window;
        if self.last_claims.1 < TRICKLE { window * 7 } else { window }
    }

    fn batch(&self, sent: &outbox::Sent) -> Batch {
        let known = |slot: u32| {
            // A job stays in memory while anything of it is on the way; a key that is not stored is answered as missing.
            self.jobs[slot as usize].as_ref().map_or((-1, 0, 0), |job| (job.key, job.revision, job.epoch))
        };
        Batch {
            owner: Arc::clone(&self.owner),
            commits: sent
                .commits
                .iter()
                .map(|commit| {
                    let (key, ..) = known(commit.slot);
                    commit.entry(key, commit.revision)
                })
                .collect(),
            edits: sent
                .edits
                .iter()
                .map(|edit| {
                    let (key, ..) = known(edit.slot);
                    crate::store::Edit { key, revision: edit.revision, state: edit.state.clone(), fence: edit.fence }
                })
                .collect(),
            claims: sent
                .claims
                .iter()
                .map(|(slot, ttl)| {
                    let (key, revision, epoch) = known(*slot);
                    outbox::claim(key, revision, epoch, *ttl)
                })
                .collect(),
            renewals: sent.renewals.iter().map(|note| note.renew(known(note.slot).0)).collect(),
            releases: sent.releases.iter().map(|note| note.release(known(note.slot).0)).collect(),
        }
    }

    fn job(&self, slot: u32) -> Option<&Job> {
        self.jobs.get(slot as usize)?.as_deref()
    }

    fn job_mut(&mut self, slot: u32) -> Option<&mut Job> {
        self.jobs.get_mut(slot as usize)?.as_deref_mut()
    }

    /// Puts an idle job where its state says: into the timeline, or nowhere.
    fn schedule(&mut self, slot: u32) {
        let at =
            self.job(slot).and_then(|job| job.state.next.filter(|_| job.state.pause.is_none())).map(|next| next.due);
        self.wake_at(slot, at.map(|at| self.turn(slot, at)));
    }

    /// Takes a job that was just paused out of the timeline. One whose tick is under way goes to rest once its outcome is
    /// durable.
    fn put_to_rest(&mut self, slot: u32) {
        if self.job(slot).is_some_and(|job| matches!(job.phase, Phase::Idle | Phase::Parked | Phase::Ready)) {
            self.wake_at(slot, None);
        }
    }

    fn wake_at(&mut self, slot: u32, at: Option<UnixMs>) {
        let Some(job) = self.job_mut(slot) else { return };
        job.phase = Phase::Idle;
        job.wake = at;
        match at {
            Some(at) => self.timeline.set(slot, at),
            None => {
                self.timeline.clear(slot);
            }
        }
    }

    /// Starts a change of a job on its way to the store; one at a time for each job.
    fn edit(&mut self, slot: u32, edit: Edit) {
        let now = self.clock.now();
        let rules = self.rules.clone();
        let Some(job) = self.job_mut(slot) else { return };
        let rare = job.rare();
        if rare.editing {
            rare.queued.push_back(edit);
            return;
        }
        rare.editing = true;
        let state = policy::edit(&job.rule(), &rules, job.state.clone(), &edit.change, now);
        let fence = matches!(edit.change, Change::Reset | Change::SetCursor(_));
        let revision = job.revision;
        self.outbox.edits.push(PendingEdit { slot, revision, edit, state, fence });
    }

    fn notice_clock_jumps(&mut self) {
        let (wall, elapsed) = (self.clock.now(), Instant::now());
        let passed = i64::try_from((elapsed - self.elapsed_seen).as_millis()).unwrap_or(i64::MAX);
        let jump = wall.0.saturating_sub(self.wall_seen.0).saturating_sub(passed);
        (self.wall_seen, self.elapsed_seen) = (wall, elapsed);
        if jump.abs() < JUMP {
            return;
        }
        tracing::warn!(by_ms = jump, "the wall clock was set, or the machine slept; jobs are planned anew");
        if jump < 0 {
            let rules = self.rules.clone();
            for slot in 0..u32::try_from(self.jobs.len()).unwrap_or(u32::MAX) {
                let Some(job) = self.job_mut(slot) else { continue };
                job.state = policy::edit(&job.rule(), &rules, job.state.clone(), &Change::ClockSetBack, wall);
                if job.phase == Phase::Idle {
                    self.schedule(slot);
                }
            }
        }
        self.observe_clock(jump);
        self.spread_missed(wall);
    }

    fn unknown(id: &str) -> RunnerError {
        RunnerError::UnknownJob { id: id.to_owned() }
    }
}
