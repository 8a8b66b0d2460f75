//! Jobs that come, change and go; kinds that come and go.

use std::collections::HashSet;

use super::change::ChangeRequest;
use super::commands::Install;
use super::core::Engine;
use super::index::JobIndex;
use super::job::{Job, Stage};
use super::prepared::Prepared;
use crate::runner::job::JobSpec;
use crate::runner::plan::{RejectedJob, ReloadPlan};
use crate::runner::policy::{self, Change};
use crate::store::{Pause, PauseCause};

impl Engine {
    /// What a reload to `specs` would do.
    pub(super) fn compare(&self, specs: &[JobSpec]) -> ReloadPlan {
        let mut plan = ReloadPlan::default();
        let mut seen = HashSet::with_capacity(specs.len());
        for spec in specs {
            let known = self.jobs.find(&spec.id).and_then(|index| self.jobs.get(index));
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
        let going = self.jobs.iter().filter(|job| !job.removed && !seen.contains(&*job.id));
        plan.remove = going.map(|job| job.id.to_string()).collect();
        for list in [&mut plan.add, &mut plan.replace, &mut plan.remove, &mut plan.keep] {
            list.sort_unstable();
        }
        plan
    }

    fn is_same(&self, job: &Job, spec: &JobSpec) -> bool {
        **self.kinds.get(job.kind).name() == *spec.kind
            && *job.agent == *spec.agent
            && job.schedule == spec.schedule
            && job.catch_up == spec.catch_up
            && job.paused_on_boot == spec.paused_on_boot
            && job.failure_to.as_deref() == spec.failure_to.as_ref()
            && *job.config == *spec.config.to_string()
    }

    pub(super) fn install(&mut self, install: Install) {
        self.jobs.reserve(install.add.len());
        self.queue.reserve(install.add.len());
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
        // Two reloads at once: the other one was first.
        if self.jobs.find(&prepared.job.id).is_some() {
            return self.replace(prepared);
        }
        let mut job = prepared.job;
        job.kind = self.kinds.number(&prepared.kind, &self.registry);
        let adopted = policy::adopt(&job.rule(), &self.rules, job.state.clone(), self.clock.now());
        let changed = job.state != adopted;
        job.state = adopted;
        // Of a job that daemons share, each start of one of them would stop it for all.
        let boots = self.options.sharing.is_none() || job.stored.is_new();
        let pause_it = job.paused_on_boot && boots && job.state.pause.is_none();
        let Ok(index) = self.jobs.insert(job) else { return };
        self.schedule(index);
        if changed {
            self.change(index, ChangeRequest::unasked(Change::Adopt));
        }
        if pause_it {
            self.pause_on_boot(index);
        }
        self.check_config(index);
    }

    fn pause_on_boot(&mut self, index: JobIndex) {
        let pause = Pause {
            cause: PauseCause::OnBoot,
            reason: "`paused_on_boot: true`; resume it when it may run".to_owned(),
            by: "config".to_owned(),
            at: self.clock.now(),
            config: 0,
        };
        if let Some(job) = self.jobs.get_mut(index) {
            // At once, not only when it is stored: it must not run in between.
            job.state.pause = Some(Box::new(pause.clone()));
        }
        self.put_to_rest(index);
        self.change(index, ChangeRequest::unasked(Change::Pause(pause)));
    }

    /// A new definition for a job that runs: it keeps its state, and a tick in flight ends under the old one.
    fn replace(&mut self, prepared: Prepared) {
        let Some(index) = self.jobs.find(&prepared.job.id) else { return };
        let kind = self.kinds.number(&prepared.kind, &self.registry);
        let new = prepared.job;
        // Under the old kind, whose place it may have.
        self.leave_line(index);
        let Some(job) = self.jobs.get_mut(index) else { return };
        let old_kind = std::mem::replace(&mut job.kind, kind);
        let claiming = job.stage == Stage::Claiming;
        job.agent = new.agent;
        job.catch_up = new.catch_up;
        job.paused_on_boot = new.paused_on_boot;
        job.schedule = new.schedule;
        job.config_print = new.config_print;
        job.config = new.config;
        job.failure_to = new.failure_to;
        job.accepted_by = None;
        job.removed = false;
        if claiming && old_kind != kind {
            self.kinds.move_place(old_kind, kind);
            self.fill_places(old_kind);
        }
        self.change(index, ChangeRequest::unasked(Change::Adopt));
        self.check_config(index);
    }

    fn remove(&mut self, id: &str) {
        let Some(index) = self.jobs.find(id) else { return };
        self.leave_line(index);
        let Some(job) = self.jobs.get_mut(index) else { return };
        job.removed = true;
        if self.is_at_rest(index) {
            self.wait_until(index, None);
        }
        self.forget_if_done(index);
    }

    /// Kinds came or went.
    pub(super) fn refresh_kinds(&mut self) {
        for kind in self.kinds.refresh(&self.registry) {
            self.fill_places(kind);
        }
    }
}
