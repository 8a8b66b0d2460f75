use std::fmt::Write as _;
use std::time::Duration;

use super::history::History;

/// What is shown of a history before and after a rule was broken.
const AROUND: Duration = Duration::from_secs(600);

impl History {
    /// The runs of `job` that succeeded are those of exactly these slots, in its local time and in this order, each as in
    /// `2026-03-29 03:00:00 +02:00`.
    ///
    /// # Panics
    /// Where they are not, with both lists and the job's timeline; where there is no such job.
    #[track_caller]
    pub fn assert_slots<S: AsRef<str>>(&self, job: &str, expected: impl IntoIterator<Item = S>) {
        let expected: Vec<String> = expected.into_iter().map(|slot| slot.as_ref().to_owned()).collect();
        let actual = self.local_slots(job);
        if expected == actual {
            return;
        }
        let mut text = format!("\nexpected: job `{job}` succeeds for these slots\n");
        list(&mut text, &expected);
        text.push_str("  actual: it succeeded for these\n");
        list(&mut text, &actual);
        panic!("{text}{}\n", self.only(job))
    }

    /// Holds it to the runner's rules: a job never runs twice at once, no run succeeds twice, no commit overwrites a cursor
    /// that its tick did not know, no job stops in silence or is put off for longer than anything justifies.
    ///
    /// # Panics
    /// Where one is broken, with the rule and what happened around it.
    #[track_caller]
    pub fn assert_sound(&self) {
        let Some(first) = self.broken.first() else { return };
        let around = self.between(first.at.minus(AROUND), first.at.plus(AROUND));
        panic!("\nbroken by job `{}` at {}: {}\n\n{around}\n", first.job, first.at, first.rule)
    }
}

fn list(text: &mut String, slots: &[String]) {
    if slots.is_empty() {
        text.push_str("          none\n");
    }
    for (number, slot) in slots.iter().enumerate() {
        // Writing into a String does not fail.
        let _ = writeln!(text, "          {}. {slot}", number + 1);
    }
}
