use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nexo_poller::runner::RunnerError;
use serde_json::json;

/// A request that is not done: the status, and what the caller can do about it.
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
            RunnerError::InvalidJob { .. } | RunnerError::CursorTooLarge(_) => StatusCode::UNPROCESSABLE_ENTITY,
            RunnerError::Running { .. } | RunnerError::Held { .. } | RunnerError::Quarantined { .. } => {
                StatusCode::CONFLICT
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}
