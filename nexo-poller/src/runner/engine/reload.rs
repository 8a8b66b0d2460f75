//! Commands, and jobs that come, change and go.

use std::collections::HashSet;
use std::sync::Arc;

use super::commands::{Command, Edit, Install, Reply};
use super::due::validate;
use super::job::{ByHand, Job, Phase};
use super::prepared::Prepared;
use super::{Change, Engine};
use crate::runner::policy;
use crate::runner::{JobSpec, RejectedJob, ReloadPlan, RunnerError};
use crate::store::{JobState, Pause, PauseCause};

impl Engine {
    pub(super) fn command(&mut self, command: Command) {
        // Whoever asked may have gone; the deed is done all the same.
        match command {
            Command::Compare(specs, reply) => {
                let plan = self.compare(&specs);
                let _ = reply.send((specs, plan));
            }
            Command::Install(install, reply) => {
                self.install(*install);
                let _ = reply.send(());
            }
            Command::List(reply) => {
                let _ = reply.send(self.list());
            }
            Command::Show(id, reply) => {
                let status = self.slot_of(&id).and_then(|slot| self.status(slot)).ok_or_else(|| Self::unknown(&id));
                let _ = reply.send(status);
            }
            Command::Inspect(id, reply) => {
                let _ = reply.send(self.inspect(&id).ok_or_else(|| Self::unknown(&id)));
            }
            Command::NextFirings(id, count, reply) => {
                let _ = reply.send(self.next_firings(&id, count));
            }
            Command::RunNow(id, reply) => self.run_now(&id, reply),
            Command::Refresh(id) => self.refresh(&id),
            Command::Edit(id, edit) => self.edit_by_name(&id, edit),
            Command::Health(reply) => {
                let _ = reply.send(self.health());
            }
            Command::Metrics(reply) => {
                let _ = reply.send(self.snapshot());
            }
            Command::Shutdown(grace, reply) => self.start_draining(grace, Some(reply)),
        }
    }

    pub(super) fn slot_of(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    fn edit_by_name(&mut self, id: &str, edit: Edit) {
        match self.slot_of(id) {
            Some(slot) => self.edit(slot, edit),
            None => answer(edit.reply, Err(Self::unknown(id))),
        }
    }

    /// A job's definition, as it was given, and its state.
    fn inspect(&self, id: &str) -> Option<(JobSpec, JobState)> {
        let job = self.slot_of(id).and_then(|slot| self.job(slot)).filter(|job| !job.removed)?;
        let spec = JobSpec {
            id: job.id.to_string(),
            kind: self.kinds.get(job.kind).name.to_string(),
            agent: job.agent.to_string(),
            schedule: job.schedule.clone(),
            // It was made from a value.
            config: serde_json::from_str(&job.config).unwrap_or_default(),
            failure_to: job.failure_to.as_deref().cloned(),
            paused_on_boot: job.paused_on_boot,
            catch_up: job.catch_up,
        };
        Some((spec, job.state.clone()))
    }

    /// What a reload to `specs` would do.
    fn compare(&self, specs: &[JobSpec]) -> ReloadPlan {
        let mut plan = ReloadPlan::default();
        let mut seen = HashSet::with_capacity(specs.len());
        for spec in specs {
            let known = self.slot_of(&spec.id).and_then(|slot| self.job(slot));
            if !seen.insert(spec.id.as_str()) {
                let reason = format!("job `{}`: there is another job of that id before it; ids are unique", spec.id);
                plan.rejected.push(RejectedJob { id: spec.id.clone(), reason });
            } else if let Err(error) = spec.check() {
                plan.rejected.push(RejectedJob { id: spec.id.clone(), reason: error.to_string() });
            } else {
                let list = match known {
                    None => &mut plan.add,
                    Some(job) if !job.removed && self.is_same(job, spec) => &mut plan.keep,
                    Some(_) => &mut plan.replace,
                };
                list.push(spec.id.clone());
            }
        }
        let going = self
            .by_id
            .iter()
            .filter(|(id, slot)| !seen.contains(&***id) && self.job(**slot).is_some_and(|job| !job.removed));
        plan.remove = going.map(|(id, _)| id.to_string()).collect();
        for list in [&mut plan.add, &mut plan.replace, &mut plan.remove, &mut plan.keep] {
            list.sort_unstable();
        }
        plan
    }

    fn is_same(&self, job: &Job, spec: &JobSpec) -> bool {
        *self.kinds.get(job.kind).name == *spec.kind
            && *job.agent == *spec.agent
            && job.schedule == spec.schedule
            && job.catch_up == spec.catch_up
            && job.paused_on_boot == spec.paused_on_boot
            && job.failure_to.as_deref() == spec.failure_to.as_ref()
            && *job.config == *spec.config.to_string()
    }

    fn install(&mut self, install: Install) {
        self.by_id.reserve(install.add.len());
        self.jobs.reserve(install.add.len());
        for id in &install.remove {
            self.remove(id);
        }
        for prepared in install.replace {
            self.replace(prepared);
        }
        for prepared in install.add {
            self.add(prepared);
        }
        self.spread_missed(self.clock.now());
    }

    fn add(&mut self, prepared: Prepared) {
        if self.by_id.contains_key(&prepared.job.id) {
            return self.replace(prepared);
        }
        let kind = self.kind_index(&prepared.kind);
        let mut job = prepared.job;
        job.kind = kind;
        let adopted = policy::adopt(&job.rule(), &self.rules, job.state.clone(), self.clock.now());
        let changed = job.state != adopted;
        job.state = adopted;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.jobs.push(None);
            u32::try_from(self.jobs.len() - 1).unwrap_or(u32::MAX)
        });
        let pause_it = job.paused_on_boot && job.state.pause.is_none();
        self.by_id.insert(Arc::clone(&job.id), slot);
        self.jobs[slot as usize] = Some(job);
        self.schedule(slot);
        if changed {
            self.edit_quietly(slot, Change::Adopt);
        }
        if pause_it {
            self.pause_on_boot(slot);
        }
        self.check_config(slot);
    }

    fn kind_index(&mut self, kind: &str) -> u32 {
        let registry = &self.registry;
        self.kinds.index(kind, || registry.entry(kind))
    }

    fn pause_on_boot(&mut self, slot: u32) {
        let pause = Pause {
            cause: PauseCause::OnBoot,
            reason: "`paused_on_boot: true`; resume it when it may run".to_owned(),
            by: "config".to_owned(),
            at: self.clock.now(),
            config: 0,
        };
        if let Some(job) = self.job_mut(slot) {
            // At once, not only when it is stored: it must not run in between.
            job.state.pause = Some(Box::new(pause.clone()));
        }
        self.put_to_rest(slot);
        self.edit_quietly(slot, Change::Pause(pause));
    }

    /// A config that its poller refuses is found at load, not at the first tick.
    fn check_config(&mut self, slot: u32) {
        if self.job(slot).is_some_and(|job| job.state.pause.is_none())
            && let Err(reason) = self.accept_config(slot)
        {
            self.quarantine(slot, reason);
        }
    }

    /// A new definition for a job that runs: it keeps its state, and a tick in flight ends under the old one.
    fn replace(&mut self, prepared: Prepared) {
        let Some(slot) = self.slot_of(&prepared.job.id) else { return };
        let kind = self.kind_index(&prepared.kind);
        let new = prepared.job;
        self.leave_line(slot);
        let Some(job) = self.job_mut(slot) else { return };
        let old_kind = std::mem::replace(&mut job.kind, kind);
        let claiming = job.phase == Phase::Claiming;
        job.agent = new.agent;
        job.catch_up = new.catch_up;
        job.paused_on_boot = new.paused_on_boot;
        job.schedule = new.schedule;
        job.config_print = new.config_print;
        job.config = new.config;
        job.failure_to = new.failure_to;
        job.validated = 0;
        job.removed = false;
        if claiming && old_kind != kind {
            // The place that its claim holds moves with it.
            self.kinds.get_mut(kind).in_use += 1;
            self.free_place(old_kind);
        }
        self.edit_quietly(slot, Change::Adopt);
        self.check_config(slot);
    }

    fn remove(&mut self, id: &str) {
        let Some(slot) = self.slot_of(id) else { return };
        self.leave_line(slot);
        let Some(job) = self.job_mut(slot) else { return };
        job.removed = true;
        if job.phase == Phase::Idle {
            self.wake_at(slot, None);
        }
        self.forget_if_done(slot);
    }

    /// A job that waits in line for its tick goes back to the timeline.
    fn leave_line(&mut self, slot: u32) {
        let Some(job) = self.job(slot) else { return };
        let kind = job.kind;
        match job.phase {
            Phase::Ready => {
                self.schedule(slot);
                self.free_place(kind);
            }
            Phase::Parked => self.schedule(slot),
            _ => {}
        }
    }

    /// Takes a job out of memory; its state stays in the store.
    pub(super) fn forget(&mut self, slot: u32) {
        self.timeline.clear(slot);
        if let Some(job) = self.jobs[slot as usize].take() {
            self.by_id.remove(&job.id);
            self.free.push(slot);
        }
    }

    /// Kinds came or went.
    pub(super) fn refresh_kinds(&mut self) {
        for index in self.kinds.indices() {
            let kind = self.kinds.get_mut(index);
            let now = self.registry.entry(&kind.name);
            let same = match (&kind.registered, &now) {
                (Some(old), Some(new)) => Arc::ptr_eq(&old.poller, &new.poller) && old.limits == new.limits,
                (None, None) => true,
                _ => false,
            };
            if same {
                continue;
            }
            let came = now.is_some();
            kind.registered = now;
            if came {
                kind.generation = kind.generation.wrapping_add(1).max(1);
                self.unpark(index);
            }
        }
    }

    fn run_now(&mut self, id: &str, reply: ByHand) {
        if let Err(error) = self.may_run_now(id) {
            let _ = reply.send(Err(error));
            return;
        }
        let Some(slot) = self.slot_of(id) else { return };
        self.leave_line(slot);
        if let Err(reason) = self.check_by_hand(slot) {
            let _ = reply.send(Err(RunnerError::Quarantined { id: id.to_owned(), reason }));
            return;
        }
        let Some(job) = self.job_mut(slot) else { return };
        job.rare().manual = Some(reply);
        let (kind, now) = (job.kind, self.clock.now());
        self.timeline.clear(slot);
        let Some(job) = self.job_mut(slot) else { return };
        (job.phase, job.wake) = (Phase::Ready, Some(now));
        self.kinds.get_mut(kind).in_use += 1;
        self.ready.push_front(slot);
    }

    fn check_by_hand(&self, slot: u32) -> Result<(), String> {
        let Some(job) = self.job(slot) else { return Ok(()) };
        let Some(registered) = &self.kinds.get(job.kind).registered else { return Ok(()) };
        validate(registered.poller.as_ref(), &job.config)
    }

    fn may_run_now(&self, id: &str) -> Result<(), RunnerError> {
        let job = self.slot_of(id).and_then(|slot| self.job(slot)).ok_or_else(|| Self::unknown(id))?;
        let id = id.to_owned();
        let kind = self.kinds.get(job.kind);
        if let Some(trouble) = &self.trouble {
            return Err(RunnerError::Store(trouble.error.clone()));
        }
        match job.phase {
            Phase::Running(run) => {
                let since = self.runs.get(run).map_or_else(|| self.clock.now(), |tick| tick.started);
                Err(RunnerError::Running { id, since })
            }
            Phase::Claiming | Phase::Committing | Phase::Abandoned => {
                Err(RunnerError::Busy { id, reason: "a tick of it begins or ends at this moment".to_owned() })
            }
            _ if job.rare.as_ref().is_some_and(|rare| rare.manual.is_some()) => {
                Err(RunnerError::Busy { id, reason: "a run by hand waits already".to_owned() })
            }
            _ if kind.registered.is_none() => Err(RunnerError::KindMissing { id, kind: kind.name.to_string() }),
            _ if !kind.has_place() && job.phase != Phase::Ready => {
                let reason = format!("{} ticks of kind `{}` run already", kind.in_use, kind.name);
                Err(RunnerError::Busy { id, reason })
            }
            _ => Ok(()),
        }
    }
}

fn answer(reply: Option<Reply<Result<(), RunnerError>>>, result: Result<(), RunnerError>) {
    if let Some(reply) = reply {
        let _ = reply.send(result);
    }
}
