use std::collections::VecDeque;

use super::reply::Reply;
use crate::runner::error::RunnerError;
use crate::runner::policy::Change;

/// A change to one job that must be durable before it is answered.
pub(crate) struct ChangeRequest {
    pub(crate) change: Change,
    /// `None` where nobody waits: the runner itself, or a definition, asks for the change.
    pub(crate) reply: Option<Reply<Result<(), RunnerError>>>,
}

/// One job's changes on their way to the store, one at a time.
///
/// A change is made from the state that the one before leaves behind. Two on the way at once would both be made from the same
/// revision, and the second would be answered `Changed` for certain.
#[derive(Default)]
pub(super) struct ChangeLine {
    /// A change is in the outbox or with the store. Set by `start`, cleared by `finished`.
    under_way: bool,
    /// In the order in which they were asked for. Empty unless one is under way.
    waiting: VecDeque<ChangeRequest>,
}

impl ChangeRequest {
    /// A change that a definition or the runner itself asks for.
    pub(super) fn unasked(change: Change) -> Self {
        Self { change, reply: None }
    }

    /// Answers whoever waits. Whether anybody did.
    pub(super) fn answer(&mut self, result: Result<(), RunnerError>) -> bool {
        match self.reply.take() {
            Some(reply) => {
                // Whoever asked may have gone; the change is the same.
                let _ = reply.send(result);
                true
            }
            None => false,
        }
    }
}

impl ChangeLine {
    /// Gives `request` back where it may go now, and keeps it for later where another one is under way.
    pub(super) fn start(&mut self, request: ChangeRequest) -> Option<ChangeRequest> {
        if self.start_if_free() {
            return Some(request);
        }
        self.waiting.push_back(request);
        None
    }

    /// Takes the way where it is free. Whether it was.
    pub(super) fn start_if_free(&mut self) -> bool {
        !std::mem::replace(&mut self.under_way, true)
    }

    /// The change that was under way is settled; here is the next one, for which `start` is to be called again.
    pub(super) fn finished(&mut self) -> Option<ChangeRequest> {
        self.under_way = false;
        self.waiting.pop_front()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_is_under_way_at_a_time_and_the_others_keep_their_order() {
        let mut line = ChangeLine::default();
        assert!(line.start(ChangeRequest::unasked(Change::Adopt)).is_some());
        assert!(line.start(ChangeRequest::unasked(Change::Resume)).is_none());
        assert!(line.start(ChangeRequest::unasked(Change::Reset)).is_none());
        let second = line.finished().expect("two wait");
        assert_eq!(second.change, Change::Resume);
        assert!(line.start(second).is_some());
        assert!(line.is_under_way());
        let third = line.finished().expect("one waits");
        assert_eq!(third.change, Change::Reset);
        assert!(line.start(third).is_some());
        assert!(line.finished().is_none());
        assert!(!line.is_under_way());
    }
}
