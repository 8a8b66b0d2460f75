use std::collections::HashMap;
use std::time::Duration;

use crate::contract::HostError;

const DAY: u64 = 24 * 3_600;

/// The tokens that each job has used today at each provider.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// Days since the epoch; what was counted belongs to it.
    day: u64,
    by_job: HashMap<(String, String), u64>,
}

/// A provider and a job.
type Spender<'s> = (&'s str, &'s str);

impl Spent {
    /// What is left of `budget`, at `now` since the epoch.
    ///
    /// # Errors
    /// [`HostError::RateLimited`] until midnight (UTC) where nothing is.
    pub(super) fn left(&mut self, now: Duration, (provider, job): Spender<'_>, budget: u64) -> Result<u64, HostError> {
        self.turn(now);
        let spent = self.by_job.get(&(provider.to_owned(), job.to_owned())).copied().unwrap_or_default();
        match budget.checked_sub(spent) {
            Some(left) if left > 0 => Ok(left),
            _ => Err(HostError::RateLimited {
                reason: format!(
                    "job `{job}` has used its {budget} tokens of today at the LLM provider `{provider}`; it goes on after \
                     midnight UTC (tokens_per_job_per_day)"
                ),
                retry_after: Some(Duration::from_secs(DAY - now.as_secs() % DAY)),
            }),
        }
    }

    pub(super) fn add(&mut self, now: Duration, (provider, job): Spender<'_>, tokens: u64) {
        self.turn(now);
        *self.by_job.entry((provider.to_owned(), job.to_owned())).or_default() += tokens;
    }

    /// A new day forgets the last one. A clock that goes back does not: what was spent stays spent.
    fn turn(&mut self, now: Duration) {
        let today = now.as_secs() / DAY;
        if today > self.day {
            self.day = today;
            self.by_job.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: Spender<'static> = ("claude", "ana");

    #[test]
    fn a_job_stops_at_its_budget_until_midnight_and_others_do_not() {
        let mut spent = Spent::default();
        let noon = Duration::from_secs(20_000 * DAY + DAY / 2);
        assert_eq!(spent.left(noon, ANA, 100), Ok(100));
        spent.add(noon, ANA, 99);
        assert_eq!(spent.left(noon, ANA, 100), Ok(1));
        spent.add(noon, ANA, 50);
        let over = spent.left(noon, ANA, 100).unwrap_err();
        let HostError::RateLimited { retry_after, reason } = over else { panic!("{over}") };
        assert_eq!(retry_after, Some(Duration::from_secs(DAY / 2)));
        assert!(reason.contains("`ana`") && reason.contains("`claude`") && reason.contains("100 tokens"), "{reason}");
        assert_eq!(spent.left(noon, ("claude", "bob"), 100), Ok(100));
        assert_eq!(spent.left(noon, ("local", "ana"), 100), Ok(100));
        assert_eq!(spent.left(noon + Duration::from_secs(DAY / 2), ANA, 100), Ok(100));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_back() {
        let mut spent = Spent::default();
        let today = Duration::from_secs(20_000 * DAY);
        spent.add(today, ANA, 100);
        assert!(spent.left(today - Duration::from_secs(DAY), ANA, 100).is_err());
    }
}
