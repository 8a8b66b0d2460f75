use std::time::Duration;

use nexo_poller::unstable::LineFramer;

use super::client::{Client, ClientError};
use super::print;
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;

/// A daemon at work sends a comment every 15 seconds where it has nothing to tell.
const SILENCE: Duration = Duration::from_secs(45);

/// Prints the daemon's events until it ends, or until nobody reads them.
///
/// # Errors
/// Where the daemon is not there, or refuses.
pub(super) async fn follow(daemon: &Client, job: Option<&str>, json: bool) -> Result<Exit, ClientError> {
    let mut answer = daemon.stream("/admin/events").await?;
    if !answer.status().is_success() {
        return Err(ClientError::new(Exit::Failed, "the daemon refuses another listener; close one"));
    }
    let (mut framer, mut name) = (LineFramer::default(), String::new());
    while let Ok(Some(chunk)) = tokio::time::timeout(SILENCE, answer.chunk()).await.map_err(|_| daemon.silent())? {
        framer.push(&chunk);
        while let Some(line) = framer.next_line() {
            // Neither overlong nor broken lines come from a daemon; one event less is better than none from here on.
            let Ok(line) = line else { continue };
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let event: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
                if job.is_none_or(|job| event["job"] == job) {
                    line_to_stdout(&if json { data.to_owned() } else { print::event(&name, &event) });
                }
            }
        }
    }
    Err(ClientError::new(Exit::NoDaemon, "the daemon has ended"))
}
