use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::engine::{ChangeRequest, Engine, EngineCommand, Install, ManualRun, Prepared, Preparer};
use super::error::RunnerError;
use super::hosts::HostProvider;
use super::job::JobSpec;
use super::options::RunnerOptions;
use super::plan::ReloadPlan;
use super::policy::{Change, Rules};
use super::registry::PollerRegistry;
use super::status::{JobStatus, RunnerHealth, TickReport};
use crate::contract::check_cursor;
use crate::store::{Clock, JobState, PastCursor, Pause, PauseCause, StateStore, UnixMs};

/// A running scheduler. Cheap to clone: all clones are one runner. It ends with [`shutdown`](Self::shutdown), or, without
/// any grace for its ticks, when the last clone is dropped.
#[derive(Clone)]
pub struct PollerRunner {
    /// The engine ends when the last clone of it is dropped.
    commands: mpsc::UnboundedSender<EngineCommand>,
    /// The engine's own, for what need not wait in its line: the rows of new jobs, cursors of the past.
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    rules: Rules,
    /// Held through a whole reload: two that compare with the same jobs would each miss what the other adds.
    reload: Arc<Mutex<Preparer>>,
}

impl PollerRunner {
    /// What [`RunnerBuilder::start`](super::RunnerBuilder::start) does.
    pub(super) fn start(
        store: Arc<dyn StateStore>,
        registry: PollerRegistry,
        hosts: Arc<dyn HostProvider>,
        options: RunnerOptions,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let rules = Rules::from(&options);
        let engine = Engine::new(Arc::clone(&store), registry, hosts, options, Arc::clone(&clock), receiver);
        tokio::spawn(engine.run());
        Self { commands, store, clock, rules, reload: Arc::default() }
    }

    /// What [`apply`](Self::apply) would do.
    ///
    /// # Errors
    /// [`RunnerError::ShutDown`].
    pub async fn plan(&self, jobs: &[JobSpec]) -> Result<ReloadPlan, RunnerError> {
        Ok(self.compare(jobs.to_vec()).await?.1)
    }

    /// Makes `jobs` the jobs of this runner: new ones start (from their stored cursor, if there is one), changed ones keep
    /// their cursor, others end after a tick in flight. Jobs that are the same do not notice. A definition that cannot be
    /// used is left out and reported; one whose config its poller refuses is loaded, but quarantined.
    ///
    /// # Errors
    /// [`RunnerError::Store`] where the state of new jobs cannot be read: then nothing has changed.
    pub async fn apply(&self, jobs: Vec<JobSpec>) -> Result<ReloadPlan, RunnerError> {
        self.apply_keeping(jobs, &[]).await
    }

    /// As [`apply`](Self::apply), but jobs whose id is in `keep` go on as they are where `jobs` does not have them: their
    /// new definition could not be read, say.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn apply_keeping(&self, jobs: Vec<JobSpec>, keep: &[String]) -> Result<ReloadPlan, RunnerError> {
        let mut preparer = self.reload.lock().await;
        let (mut specs, mut plan) = self.compare(jobs).await?;
        let (kept, remove) = std::mem::take(&mut plan.remove).into_iter().partition(|id| keep.contains(id));
        plan.remove = remove;
        plan.keep.extend::<Vec<String>>(kept);
        plan.keep.sort_unstable();
        // The first of two with one id counts.
        specs.sort_by(|a, b| a.id.cmp(&b.id));
        specs.dedup_by(|later, first| later.id == first.id);
        let all_new = specs.len() == plan.add.len();
        let now = self.clock.now();
        let (mut add, mut replace) = (Vec::with_capacity(plan.add.len()), Vec::with_capacity(plan.replace.len()));
        for spec in specs {
            if all_new || plan.add.binary_search(&spec.id).is_ok() {
                let mut prepared = preparer.prepare(spec);
                prepared.plan(&self.rules, now);
                add.push(prepared);
            } else if plan.replace.binary_search(&spec.id).is_ok() {
                replace.push(preparer.prepare(spec));
            }
        }
        // Jobs that are due together are stored side by side, so that a batch touches few pages of the store.
        add.sort_by_cached_key(Prepared::neighbourhood);
        let stored = self.store.open_jobs(add.iter().map(Prepared::to_new).collect()).await?;
        for (prepared, stored) in add.iter_mut().zip(stored) {
            prepared.know(stored);
        }
        let install = Install { add, replace, remove: plan.remove.clone() };
        self.ask(|reply| EngineCommand::Install(Box::new(install), reply)).await?;
        preparer.tidy();
        Ok(plan)
    }

    /// All jobs, in the order of their ids.
    ///
    /// # Errors
    /// [`RunnerError::ShutDown`].
    pub async fn list(&self) -> Result<Vec<JobStatus>, RunnerError> {
        self.ask(EngineCommand::List).await
    }

    /// One job.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`].
    pub async fn show(&self, id: &str) -> Result<JobStatus, RunnerError> {
        self.ask(|reply| EngineCommand::Show(id.to_owned(), reply)).await?
    }

    /// When the job is due next, as if every run succeeded at once: at most `count` instants, at most 1,000.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`].
    pub async fn next_firings(&self, id: &str, count: usize) -> Result<Vec<UnixMs>, RunnerError> {
        self.ask(|reply| EngineCommand::NextFirings(id.to_owned(), count, reply)).await?
    }

    /// Runs one tick of the job now, paused or not, under the same lease as any other, and waits until its outcome is
    /// durable. The schedule does not move.
    ///
    /// # Errors
    /// [`RunnerError`] where the tick could not be run. A tick that ran and failed is not an error here: see
    /// [`TickReport::outcome`].
    pub async fn run_now(&self, id: &str) -> Result<TickReport, RunnerError> {
        self.ask(|reply| EngineCommand::RunNow(ManualRun::new(id, reply))).await?
    }

    /// Stops running the job until it is resumed; a tick in flight ends first. Durable when this returns.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`], [`RunnerError::Store`].
    pub async fn pause(&self, id: &str, reason: &str, by: &str) -> Result<(), RunnerError> {
        let (reason, by) = (reason.to_owned(), by.to_owned());
        let pause = Pause { cause: PauseCause::Operator, reason, by, at: self.clock.now(), config: 0 };
        self.change(id, Change::Pause(pause)).await
    }

    /// Lets a paused job run again, from its cursor, at its next slot; failures before are forgotten.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`], [`RunnerError::Store`].
    pub async fn resume(&self, id: &str) -> Result<(), RunnerError> {
        self.change(id, Change::Resume).await
    }

    /// Clears cursor, failures and pause; the outcome of a tick in flight is void.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`], [`RunnerError::Store`].
    pub async fn reset(&self, id: &str) -> Result<(), RunnerError> {
        self.change(id, Change::Reset).await
    }

    /// Lets the job's next tick resume from `cursor`, `None` from nothing; the outcome of a tick in flight is void. The cursor
    /// that was there is kept as the previous one.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`], [`RunnerError::CursorTooLarge`], [`RunnerError::Store`].
    pub async fn set_cursor(&self, id: &str, cursor: Option<Vec<u8>>) -> Result<(), RunnerError> {
        check_cursor(id, cursor.as_deref())?;
        self.change(id, Change::SetCursor(cursor.map(Vec::into_boxed_slice))).await
    }

    /// A job's definition and its state as this runner knows it. Both may hold secrets.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`].
    pub async fn inspect(&self, id: &str) -> Result<(JobSpec, JobState), RunnerError> {
        self.ask(|reply| EngineCommand::Inspect(id.to_owned(), reply)).await?
    }

    /// The cursors that the job had before and that the store still has, newest first.
    ///
    /// # Errors
    /// [`RunnerError::UnknownJob`], [`RunnerError::Store`].
    pub async fn past_cursors(&self, id: &str) -> Result<Vec<PastCursor>, RunnerError> {
        self.show(id).await?;
        Ok(self.store.past_cursors(id).await?)
    }

    /// Looks at a job again that somebody else has changed in the store: another daemon, because an operator asked it to. A job that
    /// this runner does not have is none of its business.
    pub fn refresh(&self, id: &str) {
        // A runner that has ended needs to know nothing any more.
        let _ = self.commands.send(EngineCommand::Refresh(id.to_owned()));
    }

    /// All metrics in the OpenMetrics text format, which Prometheus reads.
    ///
    /// # Errors
    /// [`RunnerError::ShutDown`].
    pub async fn metrics_text(&self) -> Result<String, RunnerError> {
        // The engine only copies numbers; the text is made here.
        Ok(self.ask(EngineCommand::Metrics).await?.into_text())
    }

    /// How the runner is. Costs the same however many jobs there are, so that a watchdog may ask often.
    ///
    /// # Errors
    /// [`RunnerError::ShutDown`].
    pub async fn health(&self) -> Result<RunnerHealth, RunnerError> {
        self.ask(EngineCommand::Health).await
    }

    /// Stops: no new ticks, `cancel` for those that run, `grace` for them to end, then what was acknowledged is committed
    /// and all leases are given back.
    pub async fn shutdown(&self, grace: Duration) {
        // A runner that has ended already is what was asked for.
        let _ = self.ask(|reply| EngineCommand::Shutdown(grace, reply)).await;
    }

    async fn compare(&self, jobs: Vec<JobSpec>) -> Result<(Vec<JobSpec>, ReloadPlan), RunnerError> {
        self.ask(|reply| EngineCommand::Compare(jobs, reply)).await
    }

    async fn change(&self, id: &str, change: Change) -> Result<(), RunnerError> {
        self.ask(|reply| EngineCommand::Change(id.to_owned(), ChangeRequest { change, reply: Some(reply) })).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> EngineCommand) -> Result<T, RunnerError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).map_err(|_| RunnerError::ShutDown)?;
        answer.await.map_err(|_| RunnerError::ShutDown)
    }
}

impl std::fmt::Debug for PollerRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PollerRunner").finish_non_exhaustive()
    }
}
