use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::guard::Guard;
use super::listing::{ListAnswer, ListQuery};
use super::{cursors, events, page};
use crate::daemon::core::Daemon;
use crate::daemon::jobs::RefusedJob;
use crate::runner::{JobStatus, ReloadPlan, RunnerError, TickReport};

/// No call carries more than a reason.
const BODY_LIMIT: usize = 64 * 1024;
/// `next` never lists more.
const MOST_FIRINGS: usize = 1_000;
/// In whose name a job is paused where nobody says.
const OPERATOR: &str = "operator";

/// What `POST /admin/pollers/reload` answers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::daemon) struct ReloadAnswer {
    /// What was done.
    #[serde(flatten)]
    pub(in crate::daemon) plan: ReloadPlan,
    /// What was left out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::daemon) refused: Vec<RefusedJob>,
}

/// A sentence and its status.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<RunnerError> for Refusal {
    fn from(error: RunnerError) -> Self {
        let status = match &error {
            RunnerError::UnknownJob { .. } => StatusCode::NOT_FOUND,
            RunnerError::InvalidJob { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            RunnerError::Running { .. } | RunnerError::Held { .. } | RunnerError::Quarantined { .. } => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

/// The server's routes behind its guard.
pub(super) fn router(daemon: Arc<Daemon>, guard: Guard) -> Router {
    let routes = Router::new()
        .route("/", get(page::index))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/admin/pollers", get(list))
        .route("/admin/pollers/reload", post(reload))
        .route("/admin/pollers/{id}", get(show))
        .route("/admin/pollers/{id}/next", get(next))
        .route("/admin/pollers/{id}/run", post(run))
        .route("/admin/pollers/{id}/pause", post(pause))
        .route("/admin/pollers/{id}/resume", post(resume))
        .route("/admin/pollers/{id}/reset", post(reset))
        .route("/admin/pollers/{id}/dry-run", post(cursors::dry_run))
        .route("/admin/pollers/{id}/cursor", get(cursors::cursor).put(cursors::set_cursor))
        .route("/admin/pollers/{id}/ticks", get(ticks))
        .route("/admin/ticks", get(all_ticks))
        .route("/admin/events", get(events::events))
        .route("/admin/plugins", get(plugins))
        .route("/admin/plugins/{id}/log", get(plugin_log))
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(daemon);
    // The guard stands around the routes, not in them: what it refuses was never looked up.
    Router::new().fallback_service(routes).layer(middleware::from_fn_with_state(guard, admit))
}

/// Stands in a request of somebody from outside who has shown no token.
#[derive(Clone)]
struct Stranger;

async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    match guard.admit(request.method(), request.uri().path(), request.headers()) {
        Ok(()) => {
            if guard.is_stranger(request.headers()) {
                request.extensions_mut().insert(Stranger);
            }
            next.run(request).await
        }
        Err((status, sentence)) => Refusal(status, sentence.to_owned()).into_response(),
    }
}

async fn nothing_here() -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        "nothing here; look at /admin/pollers, /admin/plugins, /metrics, /healthz, /readyz".to_owned(),
    )
}

async fn list(
    State(daemon): State<Arc<Daemon>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<ListAnswer>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    Ok(Json(query.answer(daemon.list().await?, daemon.refused())))
}

async fn show(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<JobStatus>, Refusal> {
    match daemon.show(&id).await {
        Err(RunnerError::UnknownJob { .. }) if daemon.refused().iter().any(|refused| refused.id == id) => {
            let why = daemon.refused().into_iter().filter(|refused| refused.id == id).map(|refused| refused.problem);
            let why = why.collect::<Vec<_>>().join("\n");
            Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, format!("job `{id}` is not loaded:\n{why}")))
        }
        shown => Ok(Json(shown?)),
    }
}

#[derive(Deserialize)]
struct Count {
    n: Option<usize>,
}

async fn next(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    Query(count): Query<Count>,
) -> Result<Json<Value>, Refusal> {
    let firings = daemon.next_firings(&id, count.n.unwrap_or(10).min(MOST_FIRINGS)).await?;
    Ok(Json(json!({ "next": firings.iter().map(ToString::to_string).collect::<Vec<_>>() })))
}

/// How the job's last ticks went, since the daemon started.
async fn ticks(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    daemon.show(&id).await?;
    Ok(Json(json!({ "ticks": daemon.recent.of(&id) })))
}

#[derive(Deserialize)]
struct Ids {
    /// Separated by spaces, which no id holds.
    ids: String,
}

/// The same of many jobs, in one answer.
async fn all_ticks(State(daemon): State<Arc<Daemon>>, Query(Ids { ids }): Query<Ids>) -> Json<Value> {
    let ticks: serde_json::Map<String, Value> =
        ids.split(' ').filter(|id| !id.is_empty()).map(|id| (id.to_owned(), json!(daemon.recent.of(id)))).collect();
    Json(json!({ "ticks": ticks }))
}

async fn run(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<TickReport>, Refusal> {
    Ok(Json(daemon.run_now(&id).await?))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseOrder {
    reason: Option<String>,
    by: Option<String>,
}

async fn pause(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>, body: Bytes) -> Result<Json<Value>, Refusal> {
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
    Ok(Json(json!({ "paused": id })))
}

async fn resume(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    daemon.resume(&id).await?;
    Ok(Json(json!({ "resumed": id })))
}

async fn reset(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    daemon.reset(&id).await?;
    Ok(Json(json!({ "reset": id })))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadQuery {
    /// Only say what would be done.
    #[serde(default)]
    plan: bool,
}

async fn reload(
    State(daemon): State<Arc<Daemon>>,
    query: Result<Query<ReloadQuery>, QueryRejection>,
) -> Result<Json<ReloadAnswer>, Refusal> {
    // A word that is not understood must not turn a preview into the deed.
    let Query(query) = query.map_err(|error| Refusal(StatusCode::BAD_REQUEST, error.body_text()))?;
    let answer = if query.plan { daemon.plan_reload().await } else { daemon.reload().await };
    answer.map(Json).map_err(|error| Refusal(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
}

async fn plugins(State(daemon): State<Arc<Daemon>>) -> Json<Value> {
    Json(json!({ "plugins": daemon.plugins() }))
}

/// The last lines that a plugin wrote to its stderr.
async fn plugin_log(State(daemon): State<Arc<Daemon>>, Path(id): Path<String>) -> Result<Json<Value>, Refusal> {
    match daemon.plugins.last_stderr(&id) {
        Some(lines) => Ok(Json(json!({ "plugin": id, "lines": lines }))),
        None => {
            Err(Refusal(StatusCode::NOT_FOUND, format!("no plugin `{id}` runs here; `plugins` lists those that do")))
        }
    }
}

async fn metrics(State(daemon): State<Arc<Daemon>>) -> Response {
    let text = daemon.metrics().await;
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}

async fn health(State(daemon): State<Arc<Daemon>>) -> Response {
    match daemon.list().await {
        Ok(jobs) => Json(json!({ "ok": true, "jobs": jobs.len() })).into_response(),
        Err(error) => Refusal(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

/// Whether the daemon can do its work, for a load balancer or a container's readiness probe.
async fn ready(State(daemon): State<Arc<Daemon>>, stranger: Option<Extension<Stranger>>) -> Response {
    let mut reasons: Vec<String> = daemon
        .plugins()
        .iter()
        .filter(|plugin| !plugin.is_well())
        .map(|plugin| format!("plugin `{}` is {}: {}", plugin.id, plugin.state, plugin.why))
        .collect();
    reasons.extend(daemon.list().await.err().map(|error| error.to_string()));
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json!({ "ready": reasons.is_empty() });
    if stranger.is_none() {
        answer["reasons"] = json!(reasons);
    }
    (status, Json(answer)).into_response()
}
