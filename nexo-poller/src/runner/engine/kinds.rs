use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::index::KindIndex;
use crate::runner::registry::{PollerRegistry, RegisteredKind};

/// The kinds that jobs name, registered or not, and the places for ticks that each of them has.
///
/// Invariants: a name has one number for as long as the engine runs; `places_taken` of a kind is the number of its jobs that
/// are ready, claiming, or have a tick in flight (one that was abandoned included), each under the kind that it had then.
#[derive(Default)]
pub(super) struct Kinds {
    list: Vec<Kind>,
    by_name: HashMap<Arc<str>, KindIndex>,
}

/// One kind.
pub(super) struct Kind {
    name: Arc<str>,
    /// Its poller; `None` while none is registered: its jobs wait.
    registered: Option<RegisteredKind>,
    /// Of the present registration, or the last one.
    generation: Generation,
    /// May be more than the limit for a while, where a registration with a lower one has come.
    places_taken: usize,
}

/// Counts a kind's registrations, so that a job's config is checked once by each poller that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation(NonZeroU32);

impl Kinds {
    /// The number of `name`, which is new to the engine or not.
    pub(super) fn number(&mut self, name: &str, registry: &PollerRegistry) -> KindIndex {
        if let Some(&index) = self.by_name.get(name) {
            return index;
        }
        // Memory ends long before the numbers do; the last one would be shared then.
        let index = KindIndex::of(self.list.len()).unwrap_or_default();
        let name: Arc<str> = name.into();
        let registered = registry.entry(&name);
        let generation = Generation(NonZeroU32::MIN);
        self.list.push(Kind { name: Arc::clone(&name), registered, generation, places_taken: 0 });
        self.by_name.insert(name, index);
        index
    }

    pub(super) fn get(&self, index: KindIndex) -> &Kind {
        &self.list[index.position()]
    }

    /// Takes one of the kind's places, where there is one.
    pub(super) fn take_place(&mut self, index: KindIndex) -> bool {
        let kind = &mut self.list[index.position()];
        let free = kind.has_place();
        kind.places_taken += usize::from(free);
        free
    }

    /// Gives one of the kind's places back.
    pub(super) fn free_place(&mut self, index: KindIndex) {
        let kind = &mut self.list[index.position()];
        debug_assert!(kind.places_taken > 0, "only a place that was taken is given back");
        kind.places_taken = kind.places_taken.saturating_sub(1);
    }

    /// A claim that is with the store keeps its place when its job changes kind. It takes one of the new kind even where none
    /// is free: the tick can start at any moment, and then it must be counted.
    pub(super) fn move_place(&mut self, from: KindIndex, to: KindIndex) {
        self.free_place(from);
        self.list[to.position()].places_taken += 1;
    }

    /// Looks at what is registered now; the kinds that have come, or whose poller is another one.
    pub(super) fn refresh(&mut self, registry: &PollerRegistry) -> Vec<KindIndex> {
        let mut came = Vec::new();
        for (position, kind) in self.list.iter_mut().enumerate() {
            let now = registry.entry(&kind.name);
            let same = match (&kind.registered, &now) {
                (Some(old), Some(new)) => Arc::ptr_eq(&old.poller, &new.poller) && old.limits == new.limits,
                (None, None) => true,
                _ => false,
            };
            if same {
                continue;
            }
            if now.is_some() {
                kind.generation = kind.generation.next();
                came.extend(KindIndex::of(position));
            }
            kind.registered = now;
        }
        came
    }
}

impl Kind {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn registered(&self) -> Option<&RegisteredKind> {
        self.registered.as_ref()
    }

    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn places_taken(&self) -> usize {
        self.places_taken
    }

    /// Whether one more tick may start.
    pub(super) fn has_place(&self) -> bool {
        self.registered.as_ref().is_some_and(|kind| self.places_taken < kind.limits.max_concurrent_ticks.max(1))
    }
}

impl Generation {
    /// After four billion registrations it starts over; a config that slept through all of them would not be checked.
    fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(NonZeroU32::MIN))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::contract::{PollContext, Poller, PollerError, TickAck};
    use crate::runner::registry::KindLimits;

    struct Idle;

    #[async_trait]
    impl Poller for Idle {
        fn kind(&self) -> &'static str {
            "idle"
        }

        async fn tick(&self, _: &PollContext) -> Result<TickAck, PollerError> {
            Ok(TickAck::new())
        }
    }

    fn register(registry: &PollerRegistry, max_concurrent_ticks: usize) {
        let limits = KindLimits { max_concurrent_ticks, ..KindLimits::default() };
        registry.register(Arc::new(Idle), limits).unwrap();
    }

    #[test]
    fn a_kind_has_as_many_places_as_its_limit_says_and_none_while_it_is_not_registered() {
        let registry = PollerRegistry::new();
        let mut kinds = Kinds::default();
        let idle = kinds.number("idle", &registry);
        assert!(!kinds.take_place(idle));
        register(&registry, 2);
        assert_eq!(kinds.refresh(&registry), [idle]);
        assert!(kinds.take_place(idle) && kinds.take_place(idle) && !kinds.take_place(idle));
        kinds.free_place(idle);
        assert!(kinds.take_place(idle));
        registry.unregister("idle");
        kinds.free_place(idle);
        assert!(kinds.refresh(&registry).is_empty(), "a kind that goes frees nobody");
        assert!(!kinds.take_place(idle));
    }

    #[test]
    fn each_registration_is_a_generation_of_its_own() {
        let registry = PollerRegistry::new();
        let mut kinds = Kinds::default();
        let idle = kinds.number("idle", &registry);
        let before = kinds.get(idle).generation();
        register(&registry, 1);
        assert_eq!(kinds.refresh(&registry), [idle]);
        let first = kinds.get(idle).generation();
        assert_ne!(first, before);
        assert!(kinds.refresh(&registry).is_empty(), "nothing has changed");
        assert_eq!(kinds.get(idle).generation(), first);
        assert_eq!(size_of::<Option<Generation>>(), 4, "each job has one");
    }

    #[test]
    fn a_claim_on_its_way_takes_its_place_along_to_another_kind() {
        let registry = PollerRegistry::new();
        register(&registry, 1);
        let mut kinds = Kinds::default();
        let (idle, other) = (kinds.number("idle", &registry), kinds.number("other", &registry));
        assert!(kinds.take_place(idle));
        kinds.move_place(idle, other);
        assert_eq!((kinds.get(idle).places_taken(), kinds.get(other).places_taken()), (0, 1));
    }
}
