use std::collections::HashMap;
use std::sync::Arc;

use super::index::JobIndex;
use super::job::Job;

/// All jobs in memory, by number and by id.
///
/// Invariants:
/// - each id in `by_id` leads to the one occupied entry whose job bears it, and every occupied entry is found that way;
/// - `free` holds each vacant entry once, and nothing else.
#[derive(Default)]
pub(super) struct Jobs {
    /// Boxed: a reload of a million jobs moves pointers when the list grows, and a vacant entry costs one.
    list: Vec<Option<Box<Job>>>,
    /// Numbers to be used again, so that reloads do not make the list grow for ever.
    free: Vec<JobIndex>,
    by_id: HashMap<Arc<str>, JobIndex>,
}

impl Jobs {
    /// Room for so many more: a list that doubles as it grows leaves up to half of its memory unused.
    pub(super) fn reserve(&mut self, more: usize) {
        self.by_id.reserve(more);
        self.list.reserve(more);
    }

    /// Takes a job in. It comes back where its id is taken: two jobs of one id would share one row of the store.
    pub(super) fn insert(&mut self, job: Box<Job>) -> Result<JobIndex, Box<Job>> {
        if self.by_id.contains_key(&job.id) {
            return Err(job);
        }
        let index = match self.free.pop() {
            Some(index) => index,
            None => match JobIndex::of(self.list.len()) {
                Some(index) => {
                    self.list.push(None);
                    index
                }
                None => return Err(job),
            },
        };
        self.by_id.insert(Arc::clone(&job.id), index);
        self.list[index.position()] = Some(job);
        Ok(index)
    }

    /// Forgets a job. Its number may be another job's right after this.
    pub(super) fn remove(&mut self, index: JobIndex) -> Option<Box<Job>> {
        let job = self.list.get_mut(index.position())?.take()?;
        self.by_id.remove(&job.id);
        self.free.push(index);
        Some(job)
    }

    pub(super) fn find(&self, id: &str) -> Option<JobIndex> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, index: JobIndex) -> Option<&Job> {
        self.list.get(index.position())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: JobIndex) -> Option<&mut Job> {
        self.list.get_mut(index.position())?.as_deref_mut()
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Job> {
        self.list.iter().flatten().map(|job| &**job)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.list.iter_mut().flatten().map(|job| &mut **job)
    }

    /// All numbers that are or were in use. It borrows nothing, so that the jobs may be changed on the way.
    pub(super) fn indices(&self) -> impl Iterator<Item = JobIndex> + use<> {
        (0..self.list.len()).map_while(JobIndex::of)
    }

    /// The jobs in the order of their ids.
    pub(super) fn sorted(&self) -> Vec<JobIndex> {
        let mut sorted: Vec<_> = self.by_id.iter().collect();
        sorted.sort_unstable_by_key(|(id, _)| *id);
        sorted.into_iter().map(|(_, index)| *index).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::runner::engine::prepared::Preparer;
    use crate::runner::job::JobSpec;
    use crate::runner::schedule::Schedule;

    fn job(id: &str) -> Box<Job> {
        let schedule = Schedule::every(Duration::from_secs(60)).unwrap();
        Preparer::default().prepare(JobSpec::new(id, "kind", "ana", schedule)).job
    }

    #[test]
    fn a_second_job_of_one_id_is_given_back() {
        let mut jobs = Jobs::default();
        let first = jobs.insert(job("a")).ok();
        assert!(jobs.insert(job("a")).is_err());
        assert_eq!((jobs.len(), jobs.find("a")), (1, first));
    }

    #[test]
    fn the_memory_of_an_idle_job_does_not_grow_unnoticed() {
        assert!(size_of::<Job>() <= JOB_BYTES, "a job takes {} bytes", size_of::<Job>());
    }

    /// And 16 bytes in the queue, 16 in its timeline, 8 in the list, the id and its entry in the map.
    const JOB_BYTES: usize = 352;

    proptest! {
        #[test]
        fn the_ids_and_the_numbers_of_jobs_stay_each_others_inverse(
            steps in prop::collection::vec((any::<bool>(), 0_u8..12), 0..200)
        ) {
            let (mut jobs, mut model) = (Jobs::default(), BTreeMap::new());
            for (insert, id) in steps {
                let id = format!("job_{id}");
                if insert {
                    match jobs.insert(job(&id)) {
                        Ok(index) => prop_assert_eq!(model.insert(id, index), None),
                        Err(back) => prop_assert!(model.contains_key(&*back.id)),
                    }
                } else if let Some(index) = model.remove(&id) {
                    prop_assert_eq!(&*jobs.remove(index).unwrap().id, id);
                } else {
                    prop_assert_eq!(jobs.find(&id), None);
                }
                prop_assert_eq!(jobs.len(), model.len());
                prop_assert_eq!(jobs.sorted(), model.values().copied().collect::<Vec<_>>());
                for (id, index) in &model {
                    prop_assert_eq!(jobs.find(id), Some(*index));
                    prop_assert_eq!(&*jobs.get(*index).unwrap().id, &**id);
                }
                prop_assert!(jobs.indices().count() <= 12, "numbers are used again");
                prop_assert_eq!(jobs.iter().count(), model.len());
            }
        }
    }
}
