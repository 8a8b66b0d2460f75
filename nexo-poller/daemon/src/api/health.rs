use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use nexo_poller::runner::RunnerError;
use schemars::JsonSchema;
use serde::Serialize;

use super::caller::Caller;
use super::refusal::Refusal;
use crate::core::daemon::Daemon;
use crate::core::health::DaemonHealth;
use crate::plugins::report::PluginReport;

/// The media type of metrics.
pub(super) const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn plugins(State(daemon): State<Arc<Daemon>>) -> Json<PluginsAnswer> {
    Json(PluginsAnswer { plugins: daemon.plugins() })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PluginsAnswer {
    plugins: Vec<PluginReport>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct PluginLog {
    plugin: String,
    /// Oldest first.
    lines: Vec<String>,
}

/// The last lines that a plugin wrote to its stderr.
pub(super) async fn plugin_log(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
) -> Result<Json<PluginLog>, Refusal> {
    match daemon.plugins.last_stderr(&id) {
        Some(lines) => Ok(Json(PluginLog { plugin: id, lines })),
        None => {
            Err(Refusal(StatusCode::NOT_FOUND, format!("no plugin `{id}` runs here; `plugins` lists those that do")))
        }
    }
}

pub(super) async fn metrics(State(daemon): State<Arc<Daemon>>) -> Response {
    let text = daemon.metrics().await;
    ([(header::CONTENT_TYPE, METRICS)], text).into_response()
}

pub(super) async fn health(State(daemon): State<Arc<Daemon>>) -> Response {
    match DaemonHealth::of(&daemon).await {
        Some(health) => Json(Health { ok: true, jobs: health.jobs }).into_response(),
        None => Refusal::from(RunnerError::ShutDown).into_response(),
    }
}

/// Whether the daemon can do its work, for a load balancer or a container's readiness probe.
pub(super) async fn ready(State(daemon): State<Arc<Daemon>>, Extension(caller): Extension<Caller>) -> Response {
    let reasons = match DaemonHealth::of(&daemon).await {
        Some(health) => health.problems,
        None => vec![RunnerError::ShutDown.to_string()],
    };
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let ready = reasons.is_empty();
    let is_told = caller.holds_token || !caller.is_remote;
    (status, Json(Ready { ready, reasons: is_told.then_some(reasons) })).into_response()
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Health {
    ok: bool,
    /// How many are loaded.
    jobs: usize,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Ready {
    ready: bool,
    /// Why not; absent for callers from elsewhere who show no token.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
}
