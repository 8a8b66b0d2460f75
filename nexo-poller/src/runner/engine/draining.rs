use std::time::Duration;

use tokio::time::Instant;

use super::reply::Reply;

/// After the grace, commits and releases have this long to reach the store.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// And so long do ticks that were given up have to be known to be over: a plugin that does not end when it is told to is killed
/// within this. The lease of one that is not over then runs out by itself.
const LAST_ENDS: Duration = Duration::from_millis(2_500);

/// A shutdown under way: first the ticks have a grace to end in, then the last writes have their time. Either part is over at
/// once where nothing is left of it.
pub(super) struct Draining {
    part: Part,
    /// Whoever asked for the shutdown, however often: all are answered at its end.
    replies: Vec<Reply<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Ticks { until: Instant },
    Writes { ends_until: Instant, until: Instant },
}

impl Draining {
    pub(super) fn new(now: Instant, grace: Duration, reply: Option<Reply<()>>) -> Self {
        Self { part: Part::Ticks { until: now + grace }, replies: reply.into_iter().collect() }
    }

    /// One more who waits for it. The grace is that of the first.
    pub(super) fn join(&mut self, reply: Option<Reply<()>>) {
        self.replies.extend(reply);
    }

    /// When the present part is over.
    pub(super) fn until(&self, now: Instant) -> Instant {
        match self.part {
            Part::Writes { ends_until, .. } if now < ends_until => ends_until,
            Part::Ticks { until } | Part::Writes { until, .. } => until,
        }
    }

    /// Whether ticks that were given up are still waited for.
    pub(super) fn waits_for_ends(&self, now: Instant) -> bool {
        matches!(self.part, Part::Writes { ends_until, .. } if now < ends_until)
    }

    /// Moves on from the ticks to the last writes, where the grace is over. True once: the ticks are to be abandoned then.
    pub(super) fn ticks_are_late(&mut self, now: Instant) -> bool {
        match self.part {
            Part::Ticks { until } if until <= now => {
                self.part = Part::Writes { ends_until: until + LAST_ENDS, until: until + LAST_WRITES };
                true
            }
            Part::Ticks { .. } | Part::Writes { .. } => false,
        }
    }

    /// Whether nothing is waited for any more, done or not.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        matches!(self.part, Part::Writes { until, .. } if until <= now)
    }

    /// All is done.
    pub(super) fn finish(self) {
        for reply in self.replies {
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_late_once_and_the_last_writes_have_their_own_time() {
        let now = Instant::now();
        let grace = Duration::from_secs(3);
        let mut draining = Draining::new(now, grace, None);
        assert!(!draining.ticks_are_late(now) && !draining.is_over(now));
        let late = draining.until(now);
        assert!(draining.ticks_are_late(late) && !draining.ticks_are_late(late) && !draining.is_over(late));
        assert_eq!(draining.until(late), late + LAST_ENDS);
        assert!(draining.waits_for_ends(late) && !draining.waits_for_ends(late + LAST_ENDS));
        assert_eq!(draining.until(late + LAST_ENDS), late + LAST_WRITES);
        assert!(draining.is_over(late + LAST_WRITES));
    }

    #[test]
    fn everybody_who_asked_is_answered() {
        let (first, mut first_answer) = tokio::sync::oneshot::channel();
        let (second, mut second_answer) = tokio::sync::oneshot::channel();
        let mut draining = Draining::new(Instant::now(), Duration::ZERO, Some(first));
        draining.join(Some(second));
        draining.finish();
        assert_eq!((first_answer.try_recv(), second_answer.try_recv()), (Ok(()), Ok(())));
    }
}
