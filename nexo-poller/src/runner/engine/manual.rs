use std::sync::Arc;

use super::reply::Reply;
use crate::runner::error::RunnerError;
use crate::runner::status::TickReport;

/// A run that somebody asked for, and who waits for its report.
///
/// It goes where the run goes: from the job that waits, to its claim, to the tick, to the commit. It was once a field of the
/// job that each of a dozen ways out of a run had to remember to answer, and one of them did not: whoever had asked waited for
/// ever. So it answers by itself: whatever drops it unanswered tells that the run is lost.
#[derive(Debug)]
pub(crate) struct ManualRun {
    job: Arc<str>,
    /// `None` once it was answered.
    reply: Option<Reply<Result<TickReport, RunnerError>>>,
}

impl ManualRun {
    pub(crate) fn new(job: &str, reply: Reply<Result<TickReport, RunnerError>>) -> Self {
        Self { job: job.into(), reply: Some(reply) }
    }

    /// The job that is to run.
    pub(super) fn job(&self) -> &Arc<str> {
        &self.job
    }

    /// The run's outcome is durable.
    pub(super) fn report(mut self, report: TickReport) {
        self.answer(Ok(report));
    }

    /// The run did not happen, or its outcome does not count.
    pub(super) fn refuse(mut self, error: RunnerError) {
        self.answer(Err(error));
    }

    fn answer(&mut self, result: Result<TickReport, RunnerError>) {
        if let Some(reply) = self.reply.take() {
            // Whoever asked may have gone; the run is the same.
            let _ = reply.send(result);
        }
    }
}

impl Drop for ManualRun {
    fn drop(&mut self) {
        let id = self.job.to_string();
        self.answer(Err(RunnerError::RunLost { id }));
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn asked() -> (ManualRun, oneshot::Receiver<Result<TickReport, RunnerError>>) {
        let (reply, answer) = oneshot::channel();
        (ManualRun::new("a", reply), answer)
    }

    #[test]
    fn a_run_that_is_dropped_answers_that_it_is_lost() {
        let (run, mut answer) = asked();
        drop(run);
        assert_eq!(answer.try_recv().unwrap(), Err(RunnerError::RunLost { id: "a".into() }));
    }

    #[test]
    fn a_run_that_was_answered_says_nothing_more_when_it_is_dropped() {
        let (run, mut answer) = asked();
        run.refuse(RunnerError::ShutDown);
        assert_eq!(answer.try_recv().unwrap(), Err(RunnerError::ShutDown));
    }
}
