use nexo_poller::runner::{JobPhase, JobStatus};
use nexo_poller::store::PauseCause;

/// What an operator of this daemon can do about a job that does not run: the library says why, and knows none of our commands
/// and files.
fn remedy(job: &JobStatus) -> Option<String> {
    let id = &job.id;
    match (job.phase, job.paused.as_ref().map(|pause| pause.cause)) {
        (JobPhase::Quarantined, _) => Some(format!(
            "fix the config and reload, or, where the credentials are at fault, fix the credentials file, reload, and \
             `nexo-poller resume {id}`"
        )),
        (JobPhase::Paused, Some(PauseCause::Permanent)) => Some(format!(
            "`nexo-poller resume {id}` lets it run again once the cause is gone (new credentials: in the credentials file, then \
             `nexo-poller reload`); `nexo-poller cursor {id} --restore` goes back to the cursor before, `nexo-poller reset {id}` \
             starts over"
        )),
        (JobPhase::Paused, Some(_)) => Some(format!("`nexo-poller resume {id}` lets it run again")),
        _ => None,
    }
}

/// The same status, with what can be done about it.
pub(super) fn with_remedy(mut job: JobStatus) -> JobStatus {
    if let Some(remedy) = remedy(&job) {
        job.why.push_str("; ");
        job.why.push_str(&remedy);
    }
    job
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn why(phase: &str, cause: Option<&str>) -> String {
        let paused = cause.map(|cause| json!({"cause": cause, "reason": "r", "by": "ana", "at": 0}));
        let job: Value = json!({
            "id": "a", "kind": "rss", "agent": "ana", "schedule": "every 1h", "phase": phase, "why": "it is so",
            "breaker": "closed", "consecutive_errors": 0, "attempt": 0, "cursor_bytes": 0, "epoch": 1,
            "skipped_overlap": 0, "skipped_misfire": 0, "ticks_ok": 0, "ticks_failed": 0, "paused": paused,
        });
        with_remedy(serde_json::from_value(job).unwrap()).why
    }

    #[test]
    fn a_job_that_waits_for_an_operator_says_with_which_commands() {
        assert_eq!(why("scheduled", None), "it is so");
        assert_eq!(why("paused", Some("operator")), "it is so; `nexo-poller resume a` lets it run again");
        let failed = why("paused", Some("permanent"));
        for command in ["`nexo-poller resume a`", "`nexo-poller reset a`", "`nexo-poller cursor a --restore`"] {
            assert!(failed.contains(command), "{failed}");
        }
        assert!(why("quarantined", Some("config")).contains("fix the config and reload"));
    }
}
