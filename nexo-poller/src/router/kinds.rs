use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Every kind that a plugin of this process has ever declared.
static KINDS: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);

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
    use super::interned;

    #[test]
    fn a_kind_is_kept_once() {
        assert!(std::ptr::eq(interned("kept_once"), interned(&String::from("kept_once"))));
    }
}
