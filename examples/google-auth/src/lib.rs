#![doc = include_str!("../README.md")]

mod account;
mod token;

use nexo_poller::prelude::Value;

pub use self::account::Account;
pub use self::token::{AccessToken, access_token};

/// The status that an answer of a Google API deserves: a quota that is used up comes as 403, and is no lack of permission but a 429.
///
/// ```
/// use serde_json::json;
///
/// let answer = json!({"error": {"errors": [{"reason": "userRateLimitExceeded"}]}});
/// assert_eq!(nexo_google_auth::true_status(403, &answer), 429);
/// assert_eq!(nexo_google_auth::true_status(403, &json!({})), 403);
/// ```
#[must_use]
pub fn true_status(status: u16, answer: &Value) -> u16 {
    let reason = answer["error"]["errors"][0]["reason"].as_str().unwrap_or_default();
    let used_up = ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"];
    if status == 403 && used_up.contains(&reason) { 429 } else { status }
}

#[cfg(test)]
mod tests;
