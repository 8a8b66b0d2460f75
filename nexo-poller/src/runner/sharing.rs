use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use super::seed;

/// How several daemons share the jobs of one store: each job prefers one of those that are alive (rendezvous hashing, so
/// a daemon that comes or goes moves its own part only), and the others let that one have it first.
///
/// Who is alive is an opinion, and daemons may differ in it. Nothing but speed depends on it: that a job never runs twice
/// at once is the lease's doing.
#[derive(Debug)]
pub struct Sharing {
    me: String,
    /// Sorted, each once, `me` always among them. Written by whoever watches the others.
    members: RwLock<Vec<String>>,
    takeover_after: Duration,
    /// Counts the changes of `members`; raised after each, so that whoever wakes sees the new ones.
    changes: watch::Sender<u64>,
}

impl Sharing {
    /// This daemon's own part, while it knows of nobody else. `takeover_after`: a job that is due for so long is taken by
    /// any daemon, whether the one that it prefers is alive or not.
    #[must_use]
    pub fn new(me: impl Into<String>, takeover_after: Duration) -> Self {
        let me = me.into();
        Self { members: RwLock::new(vec![me.clone()]), me, takeover_after, changes: watch::Sender::new(0) }
    }

    /// Who this daemon is.
    #[must_use]
    pub fn me(&self) -> &str {
        &self.me
    }

    /// The daemons that are alive, as far as is known.
    #[must_use]
    pub fn members(&self) -> Vec<String> {
        self.members.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These daemons are alive now, besides this one.
    pub fn set_others(&self, others: impl IntoIterator<Item = String>) {
        let mut members: Vec<String> = others.into_iter().chain([self.me.clone()]).collect();
        members.sort_unstable();
        members.dedup();
        {
            let mut known = self.members.write().unwrap_or_else(PoisonError::into_inner);
            if *known == members {
                return;
            }
            *known = members;
        }
        self.changes.send_modify(|change| *change += 1);
    }

    /// The daemon that `job` prefers.
    #[must_use]
    pub fn preferred(&self, job: &str) -> String {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        members.iter().max_by_key(|member| score(member, job)).cloned().unwrap_or_else(|| self.me.clone())
    }

    /// How long after it is due this daemon leaves `job` to another one.
    pub(super) fn delay_of(&self, job: &str) -> Duration {
        let members = self.members.read().unwrap_or_else(PoisonError::into_inner);
        let mine = score(&self.me, job);
        let preferred = members.iter().all(|member| score(member, job) <= mine);
        if preferred { Duration::ZERO } else { self.takeover_after }
    }

    /// Changes with the members.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

/// The same on every machine and in every version.
fn score(member: &str, job: &str) -> u64 {
    seed::mix(seed::of(member.as_bytes()) ^ seed::of(job.as_bytes()).rotate_left(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sharing(me: &str, others: &[&str]) -> Sharing {
        let sharing = Sharing::new(me, Duration::from_secs(30));
        sharing.set_others(others.iter().map(|other| (*other).to_owned()));
        sharing
    }

    #[test]
    fn each_job_prefers_one_daemon_and_all_daemons_agree_on_which() {
        let daemons = ["a", "b", "c"];
        let all: Vec<_> = daemons.iter().map(|me| sharing(me, &daemons)).collect();
        let mut parts = [0; 3];
        for job in (0..3000).map(|n| format!("job_{n}")) {
            let takers: Vec<_> = (0..3).filter(|at| all[*at].delay_of(&job).is_zero()).collect();
            assert_eq!(takers.len(), 1);
            assert!(all.iter().all(|sharing| sharing.preferred(&job) == daemons[takers[0]]));
            parts[takers[0]] += 1;
        }
        assert!(parts.iter().all(|part| (850..1150).contains(part)), "{parts:?}");
    }

    #[test]
    fn a_daemon_that_comes_takes_its_part_and_moves_no_other_job() {
        let (two, three) = (sharing("a", &["b"]), sharing("a", &["b", "c"]));
        let jobs: Vec<_> = (0..3000).map(|n| format!("job_{n}")).collect();
        let moved: Vec<_> = jobs.iter().filter(|job| two.preferred(job) != three.preferred(job)).collect();
        assert!(moved.iter().all(|job| three.preferred(job) == "c"), "what moves, moves to the new one");
        assert!((850..1150).contains(&moved.len()), "{}", moved.len());
    }

    #[test]
    fn nothing_is_said_where_nothing_changed() {
        let sharing = sharing("a", &["b"]);
        let changes = sharing.changes();
        sharing.set_others(["b".to_owned(), "a".to_owned()]);
        assert!(!changes.has_changed().unwrap());
        sharing.set_others([]);
        assert!(changes.has_changed().unwrap());
        assert!(sharing.delay_of("any").is_zero());
    }
}
