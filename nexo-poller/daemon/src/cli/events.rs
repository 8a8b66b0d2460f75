use super::client::{Client, ClientError};
use super::print;
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;

/// Prints the daemon's events until it ends, or until nobody reads them.
///
/// # Errors
/// Where the daemon is not there, or refuses.
pub(super) async fn follow(daemon: &Client, job: Option<&str>, json: bool) -> Result<Exit, ClientError> {
    let mut answer = daemon.stream("/admin/events").await?;
    if !answer.status().is_success() {
        return Err(ClientError::new(Exit::Failed, "the daemon refuses another listener; close one"));
    }
    let (mut rest, mut name) = (String::new(), String::new());
    while let Ok(Some(chunk)) = answer.chunk().await {
        rest.push_str(&String::from_utf8_lossy(&chunk));
        while let Some((line, after)) = rest.split_once('\n') {
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                let event: serde_json::Value = serde_json::from_str(data).unwrap_or_default();
                if job.is_none_or(|job| event["job"] == job) {
                    line_to_stdout(&if json { data.to_owned() } else { print::event(&name, &event) });
                }
            }
            rest = after.to_owned();
        }
    }
    Err(ClientError::new(Exit::NoDaemon, "the daemon has ended"))
}
