use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::store::UnixMs;

/// When which job is to be looked at: 16 bytes a job, no task, no timer of its own.
///
/// An entry is never searched for and removed: rescheduling a job makes its older entries stale (they carry an old
/// stamp), and stale entries fall out when their time comes.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    heap: BinaryHeap<Reverse<(UnixMs, u32, u32)>>,
    stamps: Vec<u32>,
}

impl Timeline {
    /// Looks at `slot` at `at`, and not at any time that was set before.
    pub(super) fn set(&mut self, slot: u32, at: UnixMs) {
        let stamp = self.clear(slot);
        self.heap.push(Reverse((at, slot, stamp)));
    }

    /// Does not look at `slot` any more.
    pub(super) fn clear(&mut self, slot: u32) -> u32 {
        let index = slot as usize;
        if index >= self.stamps.len() {
            self.stamps.resize(index + 1, 0);
        }
        self.stamps[index] = self.stamps[index].wrapping_add(1);
        self.stamps[index]
    }

    /// The next job that is to be looked at by `now`.
    pub(super) fn pop_due(&mut self, now: UnixMs) -> Option<u32> {
        self.next().filter(|at| *at <= now)?;
        self.heap.pop().map(|Reverse((_, slot, _))| slot)
    }

    /// When the next job is to be looked at.
    pub(super) fn next(&mut self) -> Option<UnixMs> {
        while let Some(Reverse((at, slot, stamp))) = self.heap.peek() {
            if self.stamps[*slot as usize] == *stamp {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rescheduled_job_is_looked_at_once_at_its_new_time() {
        let mut timeline = Timeline::default();
        timeline.set(0, UnixMs(10));
        timeline.set(1, UnixMs(20));
        timeline.set(0, UnixMs(30));
        timeline.set(2, UnixMs(5));
        timeline.clear(2);
        assert_eq!(timeline.next(), Some(UnixMs(20)));
        assert_eq!(timeline.pop_due(UnixMs(19)), None);
        assert_eq!(timeline.pop_due(UnixMs(100)), Some(1));
        assert_eq!(timeline.pop_due(UnixMs(100)), Some(0));
        assert_eq!(timeline.pop_due(UnixMs(100)), None);
    }
}
