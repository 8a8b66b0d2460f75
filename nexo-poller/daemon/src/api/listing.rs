use nexo_poller::runner::{JobPhase, JobStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::specs::RefusedJob;

/// What `GET /admin/pollers` answers.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ListAnswer {
    /// The jobs that are loaded, in the order of their ids; one page of them, where a page was asked for.
    pub(crate) pollers: Vec<JobStatus>,
    /// The jobs of the file that are not, and why.
    #[serde(default)]
    pub(crate) refused: Vec<RefusedJob>,
    /// How many jobs match, on all pages.
    #[serde(default)]
    pub(crate) total: usize,
    /// What `after` has to be for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_after: Option<String>,
}

/// Which jobs are asked for; nothing given means all of them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only jobs in this phase.
    phase: Option<JobPhase>,
    /// Only jobs of this kind.
    kind: Option<String>,
    /// Only jobs of this agent.
    agent: Option<String>,
    /// Only jobs whose id holds this text.
    q: Option<String>,
    /// Only jobs whose id comes after this one.
    after: Option<String>,
    /// At most so many.
    limit: Option<usize>,
}

impl ListQuery {
    /// The page that was asked for. `jobs` are in the order of their ids.
    pub(super) fn answer(&self, jobs: Vec<JobStatus>, refused: Vec<RefusedJob>) -> ListAnswer {
        let matching: Vec<JobStatus> = jobs.into_iter().filter(|job| self.matches(job)).collect();
        let total = matching.len();
        let after = |job: &JobStatus| self.after.as_ref().is_none_or(|after| job.id > *after);
        let mut rest = matching.into_iter().filter(after);
        let pollers: Vec<JobStatus> = rest.by_ref().take(self.limit.unwrap_or(usize::MAX)).collect();
        let last = pollers.last().map(|job| job.id.clone());
        let next_after = if rest.next().is_some() { last } else { None };
        ListAnswer { pollers, refused, total, next_after }
    }

    fn matches(&self, job: &JobStatus) -> bool {
        self.phase.is_none_or(|phase| job.phase == phase)
            && self.kind.as_ref().is_none_or(|kind| job.kind == *kind)
            && self.agent.as_ref().is_none_or(|agent| job.agent == *agent)
            && self.q.as_ref().is_none_or(|text| job.id.contains(text.as_str()))
    }
}
