use std::time::Duration;

use super::random::Random;
use super::scenario::{Act, Scenario, Spell, Trouble};

impl Scenario {
    /// One more fault, of a kind, at an instant and for a time that `random` chooses.
    pub(super) fn add_random_fault(&mut self, random: &mut Random, runners: usize, length: Duration) {
        let at = Duration::from_millis(random.up_to(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)));
        let runner = 1 + usize::try_from(random.up_to(runners as u64 - 1)).unwrap_or(0);
        let mut secs = |most: u64| Duration::from_millis(random.up_to(most * 1000));
        match secs(10).as_secs() {
            0 | 1 => self.acts.push((at, Act::Crash { runner, down: secs(600) })),
            2 => self.acts.push((at, Act::Restart { runner, down: secs(600) })),
            3 => {
                let when = at..at + secs(7200);
                self.spells.push(Spell { job: None, when, trouble: Trouble::Down });
            }
            4 => {
                let by = i64::try_from(secs(14_400).as_millis()).unwrap_or(0) - 7_200_000;
                self.acts.push((at, Act::JumpClock(by)));
            }
            5 => self.store_down.push(at..at + secs(120)),
            6 => self.cut_off.push((runner, at..at + secs(180))),
            7 => {
                let when = at..at + secs(900);
                self.spells.push(Spell { job: None, when, trouble: Trouble::Hangs });
            }
            8 => {
                let (when, after) = (at..at + secs(1800), secs(1800));
                self.spells.push(Spell { job: None, when, trouble: Trouble::RateLimited(after) });
            }
            _ => {
                let (when, takes) = (at..at + secs(3600), secs(90));
                self.spells.push(Spell { job: None, when, trouble: Trouble::Slow(takes) });
            }
        }
    }
}
