use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::id::copy_id;

/// What a tick has published so far. Two messages of the same content are two messages: the second one gets an id of its own,
/// the same one each time that the tick is repeated.
#[derive(Default)]
pub struct SentIds(Mutex<HashMap<String, Copies>>);

/// Messages of one content.
#[derive(Default)]
struct Copies {
    /// How many were begun.
    begun: u32,
    /// Those of them that did not go out.
    free: BTreeSet<u32>,
}

/// The id of a message that is on its way. It is free again when this is dropped, so that a message whose publish has failed
/// has the same id when the poller tries again.
#[must_use = "the id is free again once this is dropped: `keep` it when the message has gone out"]
pub struct SentId<'t> {
    sent: &'t SentIds,
    first: String,
    copy: u32,
    kept: bool,
}

impl fmt::Debug for SentId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentId")
            .field("first", &self.first)
            .field("copy", &self.copy)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

impl SentIds {
    /// Nothing was published yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The id of one more message, whose first copy has the id `first`.
    pub(super) fn next(&self, first: String) -> SentId<'_> {
        let mut known = self.known();
        let copies = known.entry(first.clone()).or_default();
        let copy = copies.free.pop_first().unwrap_or_else(|| {
            copies.begun = copies.begun.saturating_add(1);
            copies.begun - 1
        });
        drop(known);
        SentId { sent: self, first, copy, kept: false }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Copies>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SentId<'_> {
    /// The id.
    pub(super) fn id(&self) -> String {
        if self.copy == 0 { self.first.clone() } else { copy_id(&self.first, self.copy) }
    }

    /// The message has gone out.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for SentId<'_> {
    fn drop(&mut self) {
        if !self.kept
            && let Some(copies) = self.sent.known().get_mut(&self.first)
        {
            copies.free.insert(self.copy);
        }
    }
}

impl fmt::Debug for SentIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentIds").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_have_ids_of_their_own_and_what_failed_has_the_same_again() {
        let sent = SentIds::new();
        let first = sent.next("a".to_owned());
        assert_eq!(first.id(), "a");
        drop(first);
        let again = sent.next("a".to_owned());
        assert_eq!(again.id(), "a");
        // Two at once, neither known to have gone out.
        let second = sent.next("a".to_owned());
        let (two, other) = (second.id(), sent.next("b".to_owned()).id());
        assert!(two != "a" && other == "b");
        again.keep();
        drop(second);
        assert_eq!(sent.next("a".to_owned()).id(), two);
        let repeated = SentIds::new();
        repeated.next("a".to_owned()).keep();
        assert_eq!(repeated.next("a".to_owned()).id(), two, "a repeated tick repeats its ids");
    }
}
