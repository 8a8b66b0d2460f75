use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::runner::registry::RegisteredKind;

/// The kinds that jobs name, registered or not.
#[derive(Default)]
pub(super) struct Kinds {
    list: Vec<Kind>,
    by_name: HashMap<Arc<str>, u32>,
}

/// One kind: its poller while it is registered, and who waits for it.
pub(super) struct Kind {
    pub(super) name: Arc<str>,
    pub(super) registered: Option<RegisteredKind>,
    /// Counts registrations, so that a job's config is checked once by each poller that comes.
    pub(super) generation: u32,
    /// Places taken: claims on the way, and ticks.
    pub(super) in_use: usize,
    /// Due jobs without a place, first come first served.
    pub(super) parked: VecDeque<u32>,
}

impl Kinds {
    /// The index of `name`, which is new to the runner or not.
    pub(super) fn index(&mut self, name: &str, registered: impl FnOnce() -> Option<RegisteredKind>) -> u32 {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        let name: Arc<str> = name.into();
        let index = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let registered = registered();
        self.list.push(Kind { name: Arc::clone(&name), registered, generation: 1, in_use: 0, parked: VecDeque::new() });
        self.by_name.insert(name, index);
        index
    }

    pub(super) fn get(&self, index: u32) -> &Kind {
        &self.list[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Kind {
        &mut self.list[index as usize]
    }

    pub(super) fn indices(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }
}

impl Kind {
    /// Whether one more tick may start.
    pub(super) fn has_place(&self) -> bool {
        self.registered.as_ref().is_some_and(|kind| self.in_use < kind.limits.max_concurrent_ticks.max(1))
    }
}
