use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use nexo_poller::contract::MAX_CURSOR;
use nexo_poller::store::PastCursor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use crate::core::cursor_view::{CursorOrder, CursorView};
use crate::core::daemon::Daemon;
use crate::core::dry_run::DryRun;

/// The longest cursor in base64, and room: what is over the limit of cursors is told so in the words of that.
const BODY_LIMIT: usize = 512 * 1024;

/// What `GET /admin/pollers/{id}/cursor` answers. It needs the token: a cursor may hold a secret.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CursorAnswer {
    /// Where the next tick resumes; `null`: it starts from nothing.
    pub(crate) cursor: Option<CursorView>,
    /// The one before: what a restore brings back.
    pub(crate) previous: Option<CursorView>,
    /// Older ones that the store still has, newest first. A JetStream bucket keeps as many as its `history` says.
    pub(crate) history: Vec<PastView>,
    /// Why older ones cannot be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) history_missing: Option<String>,
}

/// A cursor of the past.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PastView {
    /// When it was written.
    pub(crate) written: String,
    /// What it was; `null`: none at all.
    pub(crate) cursor: Option<CursorView>,
}

impl From<PastCursor> for PastView {
    fn from(past: PastCursor) -> Self {
        Self { written: past.written.to_string(), cursor: past.cursor.as_deref().map(CursorView::of) }
    }
}

pub(super) async fn cursor(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
) -> Result<Json<CursorAnswer>, Refusal> {
    let (_, state) = daemon.runner.inspect(&id).await?;
    // Older ones are an extra: the present one is shown all the same.
    let (history, history_missing) = match daemon.runner.past_cursors(&id).await {
        Ok(history) => (history, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    Ok(Json(CursorAnswer {
        cursor: state.cursor.as_deref().map(CursorView::of),
        previous: state.previous_cursor.as_deref().map(CursorView::of),
        history: history.into_iter().map(PastView::from).collect(),
        history_missing,
    }))
}

pub(super) async fn set_cursor(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<CursorAnswer>, Refusal> {
    let bad = |sentence: &str| Refusal(StatusCode::BAD_REQUEST, sentence.to_owned());
    let too_long = format!("the body is longer than {BODY_LIMIT} bytes; a cursor has at most {MAX_CURSOR}");
    let body = to_bytes(body, BODY_LIMIT).await.map_err(|_| Refusal(StatusCode::PAYLOAD_TOO_LARGE, too_long))?;
    let order: CursorOrder = serde_json::from_slice(&body).map_err(|_| {
        bad("the body must be one of {\"text\": …}, {\"base64\": …}, {\"clear\": true}, {\"restore\": true}")
    })?;
    let change = order.read().map_err(bad)?;
    daemon.set_cursor(&id, change).await?;
    cursor(State(daemon), Path(id)).await
}

pub(super) async fn dry_run(
    State(daemon): State<Arc<Daemon>>,
    Path(id): Path<String>,
) -> Result<Json<DryRun>, Refusal> {
    let (spec, state) = daemon.runner.inspect(&id).await?;
    daemon.dry_run(&spec, &state).await.map(Json).map_err(|error| Refusal(StatusCode::CONFLICT, error.to_string()))
}
