use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use nexo_poller::runner::{JobStatus, RunnerError, TickReport};
use serde_json::{Map, Value, json};

use super::call::{self, Call};
use super::cursors::{self, CursorAnswer};
use super::events;
use super::guard::Guard;
use super::health::{self, Health, PluginLog, PluginsAnswer, Ready};
use super::jobs::{self, Count, Done, Firings, Ids, PauseOrder, ReloadAnswer, ReloadQuery, Ticks, TicksOfJobs};
use super::listing::{ListAnswer, ListQuery};
use crate::core::cursor_view::CursorOrder;
use crate::core::daemon::Daemon;
use crate::core::dry_run::DryRun;
use crate::page;

/// No call carries more than a reason.
const BODY_LIMIT: usize = 64 * 1024;

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

/// Every call of the API.
fn calls() -> Vec<Call> {
    vec![
        Call::get::<ListAnswer, _, _>("/admin/pollers", jobs::list, "The jobs, filtered and by pages.")
            .query::<ListQuery>(),
        Call::post::<ReloadAnswer, _, _>(
            "/admin/pollers/reload",
            jobs::reload,
            "Reads the files again, and applies what changed.",
        )
        .query::<ReloadQuery>(),
        Call::get::<JobStatus, _, _>(
            "/admin/pollers/{id}",
            jobs::show,
            "One job: what it does, why it does not run, when it will.",
        ),
        Call::get::<Firings, _, _>("/admin/pollers/{id}/next", jobs::next, "Its next runs.").query::<Count>(),
        Call::post::<TickReport, _, _>(
            "/admin/pollers/{id}/run",
            jobs::run,
            "Runs one tick now, and answers with how it went.",
        ),
        Call::post::<Done, _, _>(
            "/admin/pollers/{id}/pause",
            jobs::pause,
            "Pauses it until it is resumed, over restarts.",
        )
        .optional_body::<PauseOrder>(),
        Call::post::<Done, _, _>("/admin/pollers/{id}/resume", jobs::resume, "Resumes it; it keeps its cursor."),
        Call::post::<Done, _, _>(
            "/admin/pollers/{id}/reset",
            jobs::reset,
            "Forgets its cursor, errors and pause; the cursor can be restored.",
        ),
        Call::post::<DryRun, _, _>(
            "/admin/pollers/{id}/dry-run",
            cursors::dry_run,
            "Runs one tick of which nothing remains: what it would publish, where it would go on.",
        ),
        Call::get::<CursorAnswer, _, _>("/admin/pollers/{id}/cursor", cursors::cursor, "Where its next tick resumes."),
        Call::put::<CursorAnswer, _, _>("/admin/pollers/{id}/cursor", cursors::set_cursor, "Changes that.")
            .body::<CursorOrder>(),
        Call::get::<Ticks, _, _>(
            "/admin/pollers/{id}/ticks",
            jobs::ticks,
            "Its last ticks, oldest first, since the daemon started.",
        ),
        Call::get::<TicksOfJobs, _, _>("/admin/ticks", jobs::all_ticks, "The same of many jobs.").query::<Ids>(),
        Call::text("/admin/events", "text/event-stream", events::events, "What happens to jobs, as it happens."),
        Call::get::<PluginsAnswer, _, _>("/admin/plugins", health::plugins, "The plugins and how they are."),
        Call::get::<PluginLog, _, _>(
            "/admin/plugins/{id}/log",
            health::plugin_log,
            "The last lines that a plugin wrote to its stderr.",
        ),
        Call::get::<Map<String, Value>, _, _>("/admin/openapi.json", openapi, "This description."),
        Call::text("/metrics", health::METRICS, health::metrics, "Metrics in the OpenMetrics format."),
        Call::get::<Health, _, _>("/healthz", health::health, "Whether the daemon is alive."),
        Call::get::<Ready, _, _>("/readyz", health::ready, "Whether it can do its work: 200, or 503 with the reasons."),
    ]
}

/// The server's routes behind its guard.
pub(super) fn router(daemon: Arc<Daemon>, guard: Guard) -> Router {
    let routes = call::routes(calls())
        .route("/", get(page::index))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(daemon);
    // The guard stands around the routes, not in them: what it refuses was never looked up.
    Router::new().fallback_service(routes).layer(middleware::from_fn_with_state(guard, admit))
}

async fn openapi() -> Json<Map<String, Value>> {
    Json(call::description(&calls()))
}

/// Stands in a request of somebody from outside who has shown no token.
#[derive(Clone)]
pub(super) struct Stranger;

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
