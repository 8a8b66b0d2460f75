use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use super::index::{JobIndex, KindIndex};
use crate::store::UnixMs;

/// The jobs that wait for a tick, and for what each of them waits: its time, a place of its kind, or one of `max_in_flight`.
///
/// Invariants:
/// - a job is in one place at most, the one that `places` names: putting it somewhere takes it from where it was;
/// - each job whose place is `Until(at)` has an entry `(at, job)` in `timeline`, each that is `Parked(kind)` one in that kind's
///   `parked`, each that is `Ready` one in `ready`.
///
/// Entries are never searched for and removed, which would cost a walk through a list of a million: an entry that its job's
/// place does not confirm is stale, and falls out when its turn comes. Where most of a list is stale it is made again, at a cost of
/// as many steps as there were since the last time: jobs that are moved again and again, far from their turn, would fill it.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By job: the only truth about where it is. 16 bytes a job, no task, no timer of its own.
    places: Vec<Place>,
    /// Whom to look at when, soonest first; of those of one instant, the one with the lower number, so that the same events give
    /// the same order.
    timeline: BinaryHeap<Reverse<(UnixMs, JobIndex)>>,
    /// By kind: due jobs without a place, first come first served.
    parked: Vec<VecDeque<JobIndex>>,
    /// Due jobs with a place of their kind that wait for one of `max_in_flight`.
    ready: VecDeque<JobIndex>,
}

/// Where a job waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// It does not: nothing of it is to come, it is paused, or its run is under way.
    #[default]
    Nowhere,
    /// In the timeline. The instant is later than its due time where another daemon has the first turn, for one.
    Until(UnixMs),
    /// Due, but all places of its kind are taken, or its kind is not registered.
    Parked(KindIndex),
    /// Due, and it has a place of its kind; its claim is to be made.
    Ready,
}

impl Queue {
    /// Room for so many more jobs.
    pub(super) fn reserve(&mut self, more: usize) {
        self.places.reserve(more);
        self.timeline.reserve(more);
    }

    pub(super) fn place(&self, job: JobIndex) -> Place {
        self.places.get(job.position()).copied().unwrap_or_default()
    }

    /// The instant at which the timeline has the job looked at; `None` where it is not in the timeline.
    pub(super) fn wakes_at(&self, job: JobIndex) -> Option<UnixMs> {
        match self.place(job) {
            Place::Until(at) => Some(at),
            Place::Nowhere | Place::Parked(_) | Place::Ready => None,
        }
    }

    /// Looks at the job at `at`, and not at any time that was set before.
    pub(super) fn wait_until(&mut self, job: JobIndex, at: UnixMs) {
        if self.put(job, Place::Until(at)) != Place::Until(at) {
            self.timeline.push(Reverse((at, job)));
            if self.timeline.len() > self.most_entries() {
                let waiting = self.places.iter().enumerate().filter_map(|(position, place)| match place {
                    Place::Until(at) => Some(Reverse((*at, JobIndex::of(position)?))),
                    Place::Nowhere | Place::Parked(_) | Place::Ready => None,
                });
                self.timeline = waiting.collect();
            }
        }
    }

    /// A list with more entries than this has more stale ones than others.
    fn most_entries(&self) -> usize {
        self.places.len() * 2 + 64
    }

    /// Leaves the first entry of each job for which `list` is the place.
    fn without_stale(&self, list: &VecDeque<JobIndex>, place: Place) -> VecDeque<JobIndex> {
        let mut seen = HashSet::new();
        list.iter().copied().filter(|job| self.place(*job) == place && seen.insert(*job)).collect()
    }

    pub(super) fn park(&mut self, job: JobIndex, kind: KindIndex) {
        self.put(job, Place::Parked(kind));
        if self.parked.len() <= kind.position() {
            self.parked.resize_with(kind.position() + 1, VecDeque::new);
        }
        self.parked[kind.position()].push_back(job);
        if self.parked[kind.position()].len() > self.most_entries() {
            self.parked[kind.position()] = self.without_stale(&self.parked[kind.position()], Place::Parked(kind));
        }
    }

    pub(super) fn make_ready(&mut self, job: JobIndex) {
        self.put(job, Place::Ready);
        self.ready.push_back(job);
        if self.ready.len() > self.most_entries() {
            self.ready = self.without_stale(&self.ready, Place::Ready);
        }
    }

    /// Before all others: somebody sits there and waits for this run.
    pub(super) fn make_ready_first(&mut self, job: JobIndex) {
        self.put(job, Place::Ready);
        self.ready.push_front(job);
    }

    /// Takes the job out, wherever it waits.
    pub(super) fn remove(&mut self, job: JobIndex) {
        self.put(job, Place::Nowhere);
    }

    /// When the next job is to be looked at.
    pub(super) fn next_wake(&mut self) -> Option<UnixMs> {
        while let Some(Reverse((at, job))) = self.timeline.peek() {
            if self.place(*job) == Place::Until(*at) {
                return Some(*at);
            }
            self.timeline.pop();
        }
        None
    }

    /// Takes out the next job that is to be looked at by `now`.
    pub(super) fn pop_due(&mut self, now: UnixMs) -> Option<JobIndex> {
        self.next_wake().filter(|at| *at <= now)?;
        let Reverse((_, job)) = self.timeline.pop()?;
        self.remove(job);
        Some(job)
    }

    /// Takes out the job that waits longest for a place of `kind`.
    pub(super) fn pop_parked(&mut self, kind: KindIndex) -> Option<JobIndex> {
        loop {
            let job = self.parked.get_mut(kind.position())?.pop_front()?;
            // A reload may have moved it to another kind, whose list it is in now.
            if self.place(job) == Place::Parked(kind) {
                self.remove(job);
                return Some(job);
            }
        }
    }

    /// Takes out the first job whose claim may be made. It keeps its place of its kind.
    pub(super) fn pop_ready(&mut self) -> Option<JobIndex> {
        loop {
            let job = self.ready.pop_front()?;
            if self.place(job) == Place::Ready {
                self.remove(job);
                return Some(job);
            }
        }
    }

    /// Writes a job's place; the one before.
    fn put(&mut self, job: JobIndex, place: Place) -> Place {
        if self.places.len() <= job.position() {
            self.places.resize(job.position() + 1, Place::Nowhere);
        }
        std::mem::replace(&mut self.places[job.position()], place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn job(number: usize) -> JobIndex {
        JobIndex::of(number).unwrap()
    }

    fn kind(number: usize) -> KindIndex {
        KindIndex::of(number).unwrap()
    }

    #[test]
    fn a_rescheduled_job_is_looked_at_once_at_its_new_time() {
        let mut queue = Queue::default();
        queue.wait_until(job(0), UnixMs(10));
        queue.wait_until(job(1), UnixMs(20));
        queue.wait_until(job(0), UnixMs(30));
        queue.wait_until(job(2), UnixMs(5));
        queue.remove(job(2));
        assert_eq!(queue.next_wake(), Some(UnixMs(20)));
        assert_eq!(queue.pop_due(UnixMs(19)), None);
        assert_eq!(queue.pop_due(UnixMs(100)), Some(job(1)));
        assert_eq!(queue.pop_due(UnixMs(100)), Some(job(0)));
        assert_eq!(queue.pop_due(UnixMs(100)), None);
    }

    #[test]
    fn a_job_that_comes_back_to_the_instant_it_left_is_looked_at_once() {
        let mut queue = Queue::default();
        queue.wait_until(job(0), UnixMs(10));
        queue.remove(job(0));
        queue.wait_until(job(0), UnixMs(10));
        assert_eq!(queue.pop_due(UnixMs(10)), Some(job(0)));
        assert_eq!(queue.pop_due(UnixMs(10)), None);
    }

    #[test]
    fn a_parked_job_that_changes_kind_waits_for_its_new_kind_only() {
        let mut queue = Queue::default();
        queue.park(job(0), kind(0));
        queue.park(job(1), kind(0));
        queue.park(job(0), kind(1));
        assert_eq!(queue.pop_parked(kind(0)), Some(job(1)));
        assert_eq!(queue.pop_parked(kind(0)), None);
        assert_eq!(queue.pop_parked(kind(1)), Some(job(0)));
    }

    #[test]
    fn a_run_that_somebody_asked_for_is_first_in_line() {
        let mut queue = Queue::default();
        queue.make_ready(job(0));
        queue.make_ready(job(1));
        queue.make_ready_first(job(1));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop_ready()).collect();
        assert_eq!(order, [job(1), job(0)]);
    }

    #[test]
    fn jobs_that_are_moved_again_and_again_leave_no_more_stale_entries_than_there_are_jobs() {
        let mut queue = Queue::default();
        for round in 0..1_000 {
            for number in 0..100 {
                // A neighbour that comes and goes moves each of them by its turn.
                queue.wait_until(job(number), UnixMs(1_000_000 + round % 2 * 30_000 + number as i64));
                queue.park(job(100 + number), kind(0));
                queue.remove(job(100 + number));
                queue.make_ready(job(200 + number));
                queue.remove(job(200 + number));
            }
        }
        let entries = queue.timeline.len() + queue.parked[0].len() + queue.ready.len();
        assert!(entries <= 3 * queue.most_entries() + 3, "{entries}");
        let popped: Vec<_> = std::iter::from_fn(|| queue.pop_due(UnixMs(i64::MAX))).collect();
        assert_eq!(popped, (0..100).map(job).collect::<Vec<_>>());
    }

    #[test]
    fn a_waiting_job_takes_sixteen_bytes_and_as_many_in_the_timeline() {
        assert_eq!((size_of::<Place>(), size_of::<Reverse<(UnixMs, JobIndex)>>()), (16, 16));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Wait(usize, i64),
        Park(usize, usize),
        Ready(usize, bool),
        Remove(usize),
        PopDue(i64),
        PopParked(usize),
        PopReady,
    }

    fn step() -> impl Strategy<Value = Step> {
        let number = 0_usize..6;
        prop_oneof![
            (number.clone(), 0_i64..8).prop_map(|(job, at)| Step::Wait(job, at)),
            (number.clone(), 0_usize..2).prop_map(|(job, kind)| Step::Park(job, kind)),
            (number.clone(), any::<bool>()).prop_map(|(job, first)| Step::Ready(job, first)),
            number.prop_map(Step::Remove),
            (0_i64..8).prop_map(Step::PopDue),
            (0_usize..2).prop_map(Step::PopParked),
            Just(Step::PopReady),
        ]
    }

    proptest! {
        /// Against a map of jobs and places, searched as a whole at every step.
        #[test]
        fn a_job_is_in_one_place_and_comes_out_of_it_once(steps in prop::collection::vec(step(), 0..120)) {
            let (mut queue, mut model) = (Queue::default(), BTreeMap::<JobIndex, Place>::new());
            for step in steps {
                match step {
                    Step::Wait(number, at) => {
                        queue.wait_until(job(number), UnixMs(at));
                        model.insert(job(number), Place::Until(UnixMs(at)));
                    }
                    Step::Park(number, of) => {
                        queue.park(job(number), kind(of));
                        model.insert(job(number), Place::Parked(kind(of)));
                    }
                    Step::Ready(number, first) => {
                        if first { queue.make_ready_first(job(number)) } else { queue.make_ready(job(number)) }
                        model.insert(job(number), Place::Ready);
                    }
                    Step::Remove(number) => {
                        queue.remove(job(number));
                        model.remove(&job(number));
                    }
                    Step::PopDue(now) => {
                        let due = |place: &Place| match place {
                            Place::Until(at) if at.0 <= now => Some(*at),
                            _ => None,
                        };
                        let next = model.iter().filter_map(|(job, place)| Some((due(place)?, *job))).min();
                        prop_assert_eq!(queue.pop_due(UnixMs(now)), next.map(|(_, job)| job));
                        next.map(|(_, job)| model.remove(&job));
                    }
                    Step::PopParked(of) => {
                        let popped = queue.pop_parked(kind(of));
                        let is_parked = |place: Option<Place>| place == Some(Place::Parked(kind(of)));
                        match popped {
                            Some(job) => prop_assert!(is_parked(model.remove(&job))),
                            None => prop_assert!(!model.values().any(|place| is_parked(Some(*place)))),
                        }
                    }
                    Step::PopReady => match queue.pop_ready() {
                        Some(job) => prop_assert_eq!(model.remove(&job), Some(Place::Ready)),
                        None => prop_assert!(!model.values().any(|place| *place == Place::Ready)),
                    },
                }
                for number in 0..6 {
                    let expected = model.get(&job(number)).copied().unwrap_or_default();
                    prop_assert_eq!(queue.place(job(number)), expected);
                }
                let wakes = model.values().filter_map(|place| match place {
                    Place::Until(at) => Some(*at),
                    _ => None,
                });
                prop_assert_eq!(queue.next_wake(), wakes.min());
            }
        }
    }
}
