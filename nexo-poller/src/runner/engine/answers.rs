//! What the store answered, batch by batch.

use tokio::time::Instant;

use super::core::Engine;
use super::outage::StoreOutage;
use super::outbox::Entries;
use crate::runner::error::RunnerError;
use crate::store::{Answers, StoreError};

impl Engine {
    pub(super) fn answered(&mut self, entries: Entries, answers: Result<Answers, StoreError>) {
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return self.store_failed(entries, &error),
        };
        if let Some(outage) = self.outage.take() {
            outage.end(self.clock.now());
        }
        for (pending, answer) in entries.commits.into_iter().zip(answers.commits) {
            self.commit_answered(pending, answer);
        }
        for (pending, answer) in entries.changes.into_iter().zip(answers.edits) {
            self.change_answered(pending, answer);
        }
        for (claim, answer) in entries.claims.into_iter().zip(answers.claims) {
            self.claim_answered(claim, answer);
        }
        for (renewal, answer) in entries.renewals.into_iter().zip(answers.renewals) {
            self.renewal_answered(renewal, &answer);
        }
        for (release, answer) in entries.releases.into_iter().zip(answers.releases) {
            self.release_answered(release, &answer);
        }
    }

    /// Nothing of the batch is taken as done: all of it waits, and no tick starts meanwhile. A batch whose answer was lost may
    /// have arrived all the same: a commit that did is answered `Changed` the next time, with the very state that it wrote.
    fn store_failed(&mut self, entries: Entries, error: &StoreError) {
        let (now, wall) = (Instant::now(), self.clock.now());
        self.outage = Some(StoreOutage::after(self.outage.take(), error.clone(), wall, now));
        for mut change in self.outbox.failed(entries) {
            // An operator is told at once, and asks again when the store works.
            change.request.answer(Err(RunnerError::Store(error.clone())));
            self.change_ended(change.job);
        }
    }
}
