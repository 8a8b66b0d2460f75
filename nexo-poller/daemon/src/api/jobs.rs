use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use nexo_poller::runner::{JobStatus, ReloadPlan, RunnerError, TickReport};
use nexo_poller::store::{Pause, UnixMs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::listing::{ListAnswer, ListQuery};
use super::refusal::Refusal;
use crate::config::specs::RefusedJob;
use crate::core::daemon::Daemon;
use crate::core::reload::Reloaded;
use crate::telemetry::recent::RecentTick;

/// `next` never lists more.
const MOST_FIRINGS: usize = 1_000;
/// In whose name a job is paused where nobody says.
const OPERATOR: &str = "operator";

/// What `POST /admin/pollers/reload` answers.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ReloadAnswer {
    /// What was done.
    #[serde(flatten)]
    pub(crate) plan: ReloadPlan,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) refused: Vec<RefusedJob>,
    /// Plugins that cannot be used, each with a sentence that says why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) plugin_faults: Vec<String>,
}

impl From<Reloaded> for ReloadAnswer {
    fn from(reloaded: Reloaded) -> Self {
        let Reloaded { plan, refused, plugin_faults } = reloaded;
        Self { plan, refused, plugin_faults }
    }
}

pub(super) async fn list(
    State(daemon): State<Arc<Daemon>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ListAnswer>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    Ok(Json(query.answer(daemon.list().await?, daemon.refused())))
}

pub(super) async fn show(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
) -> Result<Json<JobStatus>, Refusal> {
    match daemon.show(&id).await {
        Err(RunnerError::UnknownJob { .. }) if daemon.refused().iter().any(|refused| refused.id == id) => {
            let why = daemon.refused().into_iter().filter(|refused| refused.id == id).map(|refused| refused.problem);
            let why = why.collect::<Vec<_>>().join("\n");
            Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("job `{id}` is not loaded:\n{why}")))
        }
        shown => Ok(Json(shown?)),
    }
}

/// The job whose id is `reload`.
pub(super) async fn show_reload(daemon: State<Arc<Daemon>>) -> Result<Json<JobStatus>, Refusal> {
    show(daemon, Path("reload".to_owned())).await
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Count {
    /// How many: 10 unless said otherwise.
    n: Option<usize>,
}

pub(super) async fn next(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    Query(count): Query<Count>,
) -> Result<Json<Firings>, Refusal> {
    let next = daemon.next_firings(&id, count.n.unwrap_or(10).min(MOST_FIRINGS)).await?;
    let paused = daemon.show(&id).await?.paused;
    Ok(Json(Firings { next, paused }))
}

/// What `GET /admin/pollers/{id}/next` answers.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Firings {
    /// When the schedule fires, whether or not the job is paused.
    pub(crate) next: Vec<UnixMs>,
    /// None of them runs the job as long as it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) paused: Option<Pause>,
}

/// How the job's last ticks went, since the daemon started.
pub(super) async fn ticks(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Ticks>, Refusal> {
    daemon.show(&id).await?;
    Ok(Json(Ticks { ticks: daemon.recent.of(&id) }))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Ticks {
    ticks: Vec<RecentTick>,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Ids {
    /// Separated by spaces, which no id holds.
    ids: String,
}

/// The same of many jobs, in one answer.
pub(super) async fn all_ticks(State(daemon): State<Arc<Daemon>>, Query(Ids { ids }): Query<Ids>) -> Json<TicksOfJobs> {
    let ids = ids.split(' ').filter(|id| !id.is_empty());
    Json(TicksOfJobs { ticks: ids.map(|id| (id.to_owned(), daemon.recent.of(id))).collect() })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct TicksOfJobs {
    /// By the job's id.
    ticks: BTreeMap<String, Vec<RecentTick>>,
}

pub(super) async fn run(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
) -> Result<Json<TickReport>, Refusal> {
    Ok(Json(daemon.run_now(&id).await?))
}

/// What was done to which job.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Done {
    Paused(String),
    Resumed(String),
    Reset(String),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseOrder {
    /// Why; `show` tells it to the next person.
    reason: Option<String>,
    /// Who pauses it.
    by: Option<String>,
}

pub(super) async fn pause(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<Done>, Refusal> {
    let order = if body.is_empty() { Ok(PauseOrder::default()) } else { serde_json::from_slice(&body) };
    let order: PauseOrder = order.map_err(|_| {
        Refusal(
            StatusCode::BAD_REQUEST,
            "the body must be {\"reason\": \"…\", \"by\": \"…\"}, each optional, or nothing".to_owned(),
        )
    })?;
    let one_line = |text: String| text.chars().filter(|c| !c.is_control()).take(500).collect::<String>();
    let reason = one_line(order.reason.unwrap_or_else(|| "no reason was given".to_owned()));
    let by = order.by.map(one_line).filter(|by| !by.trim().is_empty());
    daemon.pause(&id, &reason, by.as_deref().unwrap_or(OPERATOR)).await?;
    Ok(Json(Done::Paused(id)))
}

pub(super) async fn resume(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Done>, Refusal> {
    daemon.resume(&id).await?;
    Ok(Json(Done::Resumed(id)))
}

pub(super) async fn reset(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Done>, Refusal> {
    daemon.reset(&id).await?;
    Ok(Json(Done::Reset(id)))
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadQuery {
    /// Only say what would be done.
    #[serde(default)]
    plan: bool,
}

pub(super) async fn reload(
    State(daemon): State<Arc<Daemon>>,
    query: Result<Query<ReloadQuery>, QueryRejection>,
) -> Result<Json<ReloadAnswer>, Refusal> {
    // A word that is not understood must not turn a preview into the deed.
    let Query(query) = query.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    let answer = if query.plan { daemon.plan_reload().await } else { daemon.reload().await };
    answer.map(|done| Json(done.into())).map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}
