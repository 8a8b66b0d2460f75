use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Every kind that a plugin of this process has ever declared.
static KINDS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

/// As many kinds are kept in the life of a process: each is kept for all of it, also after its plugin is gone.
const MOST: usize = 10_000;

/// Whether `kind` may be added to what is kept.
pub(super) fn has_room_for(kind: &str) -> bool {
    let kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    kinds.as_ref().is_none_or(|kinds| kinds.len() < MOST || kinds.contains(kind))
}

/// The kind as [`Poller::kind`](crate::contract::Poller::kind) wants it: for the life of the process. Each name is kept
/// once, so a plugin that restarts a thousand times costs nothing more.
pub(super) fn interned(kind: &str) -> &'static str {
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let kinds = kinds.get_or_insert_default();
    if let Some(known) = kinds.get(kind) {
        return known;
    }
    let kept: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    kinds.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::{has_room_for, interned};

    #[test]
    fn a_kind_is_kept_once() {
        assert!(std::ptr::eq(interned("kept_once"), interned(&String::from("kept_once"))));
        assert!(has_room_for("kept_once") && has_room_for("another"));
    }
}
