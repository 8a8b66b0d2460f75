use std::error::Error as StdError;
use std::time::Duration;

use chrono::Utc;
use genai::webc;
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;

use super::{LlmSettings, refused};
use crate::contract::{ErrorClass, HostError, HttpStatus, read_retry_after};

/// As much of a provider's own sentence is passed on.
const LONGEST: usize = 200;

/// What a failed call means for the job. Shows neither key nor address, and of the provider's answer only its message where
/// the request was refused for what it asks.
pub(super) fn host_error(provider: &str, model: &str, settings: &LlmSettings, error: &genai::Error) -> HostError {
    use genai::Error::{WebAdapterCall, WebModelCall};
    let (WebModelCall { webc_error, .. } | WebAdapterCall { webc_error, .. }) = error else {
        return refused(
            ErrorClass::Transient,
            format!("the LLM provider `{provider}` answered in a form that is not understood"),
        );
    };
    match webc_error {
        webc::Error::ResponseFailedStatus { status, body, headers } => {
            let after = headers
                .get(RETRY_AFTER)
                .and_then(|after| after.to_str().ok())
                .and_then(|after| read_retry_after(after, Utc::now()));
            of_status(provider, model, settings, *status, body, after)
        }
        webc::Error::Reqwest(error) => {
            let mut innermost: &dyn StdError = error;
            while let Some(source) = innermost.source() {
                innermost = source;
            }
            // The outermost error is the one that shows the address.
            let cause = if innermost.is::<reqwest::Error>() { String::new() } else { format!(": {innermost}") };
            refused(ErrorClass::Transient, format!("the LLM provider `{provider}` cannot be reached{cause}"))
        }
        _ => {
            refused(ErrorClass::Transient, format!("the LLM provider `{provider}` answered something that is not JSON"))
        }
    }
}

fn of_status(
    provider: &str,
    model: &str,
    settings: &LlmSettings,
    status: StatusCode,
    body: &str,
    retry_after: Option<Duration>,
) -> HostError {
    let who = format!("the LLM provider `{provider}`");
    let code = status.as_u16();
    match code {
        401 | 403 => {
            refused(ErrorClass::Permanent, format!("{who} refused the key (HTTP status {code}): check its `api_key`"))
        }
        404 => refused(
            ErrorClass::Config,
            format!("{who} has no model `{model}`, or its `base_url` is wrong (HTTP status 404)"),
        ),
        _ if HttpStatus::new(&who, code).class() == ErrorClass::Transient => {
            let limit = if code == 429 { "is over its limit" } else { "is in trouble" };
            HostError::RateLimited { reason: format!("{who} {limit} (HTTP status {code})"), retry_after }
        }
        _ => refused(
            ErrorClass::Permanent,
            format!("{who} refused the request (HTTP status {code}){}", sentence_of(body, settings)),
        ),
    }
}

/// The provider's own words, on one line, without its key.
fn sentence_of(body: &str, settings: &LlmSettings) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let said = ["/error/message", "/message", "/error"].iter().find_map(|path| body.pointer(path)?.as_str());
    let Some(said) = said else { return String::new() };
    let said = match settings.api_key.as_deref().filter(|key| !key.is_empty()) {
        Some(key) => said.replace(key, "(secret hidden)"),
        None => said.to_owned(),
    };
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    format!(": {said}")
}
