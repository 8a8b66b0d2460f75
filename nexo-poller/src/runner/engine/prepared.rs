use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::index::KindIndex;
use super::job::{Job, Stage, StoredAs};
use crate::runner::job::JobSpec;
use crate::runner::policy::{self, JobRule, Rules, seed_of};
use crate::runner::schedule::Schedule;
use crate::runner::seed;
use crate::store::{JobState, NewJob, StoredJob, UnixMs};

/// A definition in the compact form that the engine keeps.
pub(crate) struct Prepared {
    /// The kind's name: the engine, which has the numbers, writes its number into the job.
    pub(super) kind: Arc<str>,
    /// What the store knows of it is filled in by `know`. That is done for each job that is new before the engine gets it; for
    /// one that replaces another only the definition is used.
    pub(super) job: Box<Job>,
}

/// Makes jobs of definitions, with one copy of what many share.
///
/// This is done by whoever asks for the load, one definition after the other: the allocator gives the memory of a
/// definition back only to the thread that made it, so jobs that another thread makes would come on top of it.
#[derive(Default)]
pub(crate) struct Preparer {
    /// Kept from reload to reload, without those that no job uses any more.
    texts: HashSet<Arc<str>>,
    /// Compiled cron expressions, by their text. Kept for one reload only: nobody can tell whether a schedule is still shared.
    schedules: HashMap<String, Schedule>,
}

impl Preparer {
    pub(crate) fn prepare(&mut self, mut spec: JobSpec) -> Prepared {
        spec.schedule.intern(&mut self.schedules);
        let config = self.config(&spec);
        let job = Box::new(Job {
            seed: seed_of(&spec.id),
            id: spec.id.as_str().into(),
            agent: self.text(&spec.agent),
            kind: KindIndex::default(),
            catch_up: spec.catch_up,
            paused_on_boot: spec.paused_on_boot,
            removed: false,
            stage: Stage::Waiting,
            accepted_by: None,
            schedule: spec.schedule,
            config_print: seed::of(config.as_bytes()).cast_signed(),
            config,
            failure_to: spec.failure_to.map(Box::new),
            stored: StoredAs::default(),
            state: JobState::default(),
            cold: None,
        });
        Prepared { kind: self.text(&spec.kind), job }
    }

    /// Drops what no job uses any more.
    pub(crate) fn tidy(&mut self) {
        self.texts.retain(|text| Arc::strong_count(text) > 1);
        self.schedules.clear();
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&shared));
        shared
    }

    fn config(&mut self, spec: &JobSpec) -> Arc<str> {
        let text = spec.config.to_string();
        // Only short ones are likely to be the same for many jobs.
        if text.len() <= 16 { self.text(&text) } else { text.into() }
    }
}

impl Prepared {
    /// The state before the first run: what a job will do is durable from the moment it is loaded.
    pub(crate) fn plan(&mut self, rules: &Rules, now: UnixMs) {
        // The config matters to a quarantine only, and there is none before the first run.
        let rule = JobRule { config: 0, ..self.job.rule() };
        let state = policy::adopt(&rule, rules, JobState::default(), now);
        self.job.state = state;
    }

    pub(crate) fn to_new(&self) -> NewJob {
        NewJob::new(Arc::clone(&self.job.id), self.job.state.clone())
    }

    pub(crate) fn know(&mut self, stored: StoredJob) {
        self.job.know(stored);
    }

    /// Jobs with near keys are due near each other.
    pub(crate) fn neighbourhood(&self) -> (Duration, Option<UnixMs>, u64) {
        (self.job.schedule.typical_interval(), self.job.state.next.map(|next| next.scheduled_at), self.job.seed)
    }
}
