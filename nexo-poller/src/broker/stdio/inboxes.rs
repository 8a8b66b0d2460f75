use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::wire::{random_id, topics};

/// Questions of one plugin that may be open at once; of more, the oldest is forgotten: its answer is not handed over. A topic has up
/// to 255 bytes, so what is kept of one plugin is bounded to 1 MiB.
const MAX_OPEN_QUESTIONS: usize = 4096;
/// Inboxes that wait for an answer of one plugin, at the least; of more, the oldest are forgotten. They take up to 2 MiB.
const MAX_OWED: usize = 4096;

/// The open questions of one plugin. It says where it wants each answer, and that is a word of its own: the broker knows another
/// inbox, which nobody can guess and nothing else arrives in. So a plugin can neither have an answer that is another's, by naming
/// its inbox, nor have the daemon answer in another's place.
#[derive(Debug)]
pub(super) struct Questions {
    /// Only this bridge has it.
    inbox: String,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Where the plugin wants the answer, by the number of its question.
    reply_to: BTreeMap<u64, String>,
}

impl Questions {
    pub(super) fn new() -> Self {
        Self { inbox: topics::inbox(&random_id()), open: Mutex::default() }
    }

    /// What the broker's answers arrive on.
    pub(super) fn pattern(&self) -> String {
        format!("{}.*", self.inbox)
    }

    /// The inbox for the answer that the plugin wants on `reply_to`.
    pub(super) fn ask(&self, reply_to: &str) -> String {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = open.next;
        open.next += 1;
        if open.reply_to.len() >= MAX_OPEN_QUESTIONS {
            open.reply_to.pop_first();
        }
        open.reply_to.insert(number, reply_to.to_owned());
        format!("{}.{number}", self.inbox)
    }

    /// Where the plugin wants what has arrived on `topic`, once.
    pub(super) fn answered(&self, topic: &str) -> Option<String> {
        let number = topic.strip_prefix(&self.inbox)?.strip_prefix('.')?.parse().ok()?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).reply_to.remove(&number)
    }
}

/// The inboxes of those who have asked one plugin something. It may answer each of them once, and publish in no other.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Generations>);

/// Two of them, so that the oldest can be forgotten without an order being kept.
#[derive(Debug, Default)]
struct Generations {
    young: HashSet<String>,
    old: HashSet<String>,
}

impl Owed {
    /// Somebody who has asked the plugin waits on `reply_to`.
    pub(super) fn add(&self, reply_to: String) {
        let mut owed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if owed.young.len() >= MAX_OWED {
            owed.old = std::mem::take(&mut owed.young);
        }
        owed.young.insert(reply_to);
    }

    /// Whether somebody waits on `topic`; from now on nobody does.
    pub(super) fn pay(&self, topic: &str) -> bool {
        let mut owed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        owed.young.remove(topic) || owed.old.remove(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_to_its_question_once_and_to_no_other() {
        let (one, other) = (Questions::new(), Questions::new());
        let first = one.ask("_inbox.1");
        // Another plugin names the same inbox.
        let forged = other.ask("_inbox.1");
        assert_ne!(first, forged);
        assert_eq!(other.answered(&first), None);
        assert_eq!(one.answered(&first).as_deref(), Some("_inbox.1"));
        assert_eq!(one.answered(&first), None);
        for odd in ["_inbox.1", &one.inbox, &format!("{}.x", one.inbox), &format!("{}0.1", one.inbox)] {
            assert_eq!(one.answered(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_plugin_that_asks_without_end_loses_its_oldest_questions_and_no_more_memory() {
        let questions = Questions::new();
        let asked: Vec<String> = (0..MAX_OPEN_QUESTIONS + 10).map(|n| questions.ask(&format!("_inbox.{n}"))).collect();
        assert_eq!(questions.answered(&asked[9]), None);
        assert_eq!(questions.answered(&asked[10]).as_deref(), Some("_inbox.10"));
    }

    #[test]
    fn each_inbox_is_answered_once_and_old_ones_are_forgotten() {
        let owed = Owed::default();
        owed.add("_inbox.a".to_owned());
        assert!(owed.pay("_inbox.a") && !owed.pay("_inbox.a") && !owed.pay("_inbox.b"));
        owed.add("_inbox.late".to_owned());
        for n in 0..MAX_OWED {
            owed.add(format!("_inbox.{n}"));
        }
        assert!(owed.pay("_inbox.late"), "a generation is kept");
        for n in 0..2 * MAX_OWED {
            owed.add(format!("_inbox.more.{n}"));
        }
        assert!(!owed.pay("_inbox.1"));
    }
}
