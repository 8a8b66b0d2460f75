use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a reload does, by job id, each list in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ReloadPlan {
    /// Jobs that are new. State that the store still has under their id is taken up again.
    pub add: Vec<String>,
    /// Jobs whose definition changes; they keep their cursor.
    pub replace: Vec<String>,
    /// Jobs that go; a tick in flight ends first, and their state stays in the store.
    pub remove: Vec<String>,
    /// Jobs that do not notice.
    pub keep: Vec<String>,
    /// Definitions that were left out. Where a job of that id runs already, its old definition stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<RejectedJob>,
}

/// A job definition that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RejectedJob {
    /// The job's id.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl RejectedJob {
    /// The job `id` was left out, because of `reason`.
    pub fn new(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { id: id.into(), reason: reason.into() }
    }
}
