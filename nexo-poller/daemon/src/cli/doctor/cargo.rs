use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

/// Why Cargo did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CargoError {
    #[error("cargo cannot be started: {0}")]
    Start(#[from] std::io::Error),
    #[error("what cargo wrote is not text: {0}")]
    NotText(#[from] std::string::FromUtf8Error),
    /// It has failed; these are its last lines.
    #[error("`cargo {command}` says:\n        {said}")]
    Failed { command: String, said: String },
}

/// What Cargo's command wrote to stdout.
///
/// # Errors
/// [`CargoError`], with the last lines of what went wrong.
pub(super) async fn cargo(
    folder: &Path,
    arguments: &[&str],
    environment: Option<(&str, &Path)>,
) -> Result<String, CargoError> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(environment);
    let output = command.output().await?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let both = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let lines: Vec<&str> = both.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(8);
    Err(CargoError::Failed { command: arguments.join(" "), said: lines[last..].join("\n        ") })
}
