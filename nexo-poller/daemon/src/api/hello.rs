use std::sync::Arc;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;

use super::greeting::{Greeter, Hello};
use super::refusal::Refusal;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HelloQuery {
    /// 16 to 128 letters and digits that nobody has used before.
    nonce: String,
}

/// Proves that this is the daemon that knows the token, before anybody shows it anything.
pub(super) async fn hello(
    greeter: Option<Extension<Arc<Greeter>>>,
    query: Result<Query<HelloQuery>, QueryRejection>,
) -> Result<Json<Hello>, Refusal> {
    let Some(Extension(greeter)) = greeter else {
        let sentence = "only callers of the daemon's own machine are greeted; others know it by its certificate";
        return Err(Refusal(StatusCode::NOT_FOUND, sentence.to_owned()));
    };
    let answer = query.ok().and_then(|Query(query)| greeter.answer(&query.nonce));
    let sentence = "`nonce` must be 16 to 128 letters and digits that nobody has used before";
    answer.map(Json).ok_or_else(|| Refusal(StatusCode::BAD_REQUEST, sentence.to_owned()))
}
