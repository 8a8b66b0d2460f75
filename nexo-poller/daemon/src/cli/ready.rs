use super::client::{Client, ClientError};
use super::print;
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;

/// Says whether the daemon can do its work, for probes and people.
///
/// # Errors
/// Where the daemon is not there, or answers something else.
pub(super) async fn ready(daemon: &Client, json: bool) -> Result<Exit, ClientError> {
    let answer = daemon.readiness().await?;
    let Some(ready) = answer["ready"].as_bool() else {
        let sentence = "the daemon's answer is not understood; is it another version?";
        return Err(ClientError::new(Exit::Failed, sentence));
    };
    if json {
        line_to_stdout(&print::pretty(&answer));
    } else if ready {
        line_to_stdout("ready");
    } else {
        line_to_stdout("not ready");
        line_to_stdout(&print::lines(&answer["reasons"]));
    }
    Ok(if ready { Exit::Ok } else { Exit::Failed })
}
