use std::fs::File;
use std::io::Write as _;

use serde::Serialize;

use super::failure::Failure;
use super::{chosen, help, input};
use crate::contract::ErrorClass;
use crate::plugin::PollerHandler;

/// What `validate --json` prints.
#[derive(Serialize)]
struct Verdict<'v> {
    valid: bool,
    errors: Vec<ConfigProblem<'v>>,
}

/// One thing that is wrong with a config.
#[derive(Serialize)]
struct ConfigProblem<'v> {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'v str>,
    message: &'v str,
}

/// Checks a config without a tick.
pub(super) fn validate(
    handler: &PollerHandler,
    kind: Option<&str>,
    source: Option<&str>,
    json: bool,
    mut out: File,
) -> Result<(), Failure> {
    let kind = chosen::kind(handler, kind)?;
    let (path, failure) = match input::config(source).map(|config| kind.poller.validate(&config)) {
        Ok(Ok(())) if json => {
            let verdict = Verdict { valid: true, errors: Vec::new() };
            return print(&verdict, &mut out);
        }
        Ok(Ok(())) => {
            writeln!(out, "the config is valid for kind `{}`", kind.declaration.kind)?;
            return Ok(());
        }
        Ok(Err(error)) => (error.path().map(str::to_owned), Failure::from(&error)),
        Err(failure) => (None, failure),
    };
    if let Some(message) = failure.of_config().filter(|_| json) {
        print(&Verdict { valid: false, errors: vec![ConfigProblem { path: path.as_deref(), message }] }, &mut out)?;
        return Err(Failure::of_tick(ErrorClass::Config));
    }
    Err(failure)
}

fn print(verdict: &Verdict<'_>, out: &mut File) -> Result<(), Failure> {
    let text = serde_json::to_string(verdict)
        .map_err(|error| Failure::other(format!("the answer cannot be written as JSON: {error}")))?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints the JSON Schema of a kind's config.
pub(super) fn schema(handler: &PollerHandler, kind: Option<&str>, mut out: File) -> Result<(), Failure> {
    let kind = chosen::kind(handler, kind)?;
    // `true` is the schema of a poller that says nothing about its config: anything is fine.
    let schema = (kind.schema)().unwrap_or_else(|| true.into());
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Failure::other(format!("the schema cannot be written as JSON: {error}")))?;
    writeln!(out, "{text}")?;
    Ok(())
}

/// Prints `nexo-plugin.toml`.
pub(super) fn manifest(handler: &PollerHandler, mut out: File) -> Result<(), Failure> {
    write!(out, "{}", handler.manifest()?.to_toml())?;
    Ok(())
}

/// Prints the help.
pub(super) fn help(handler: &PollerHandler, mut out: File) -> Result<(), Failure> {
    write!(out, "{}", help::text(&handler.manifest()?))?;
    Ok(())
}

/// Prints name and version.
pub(super) fn version(handler: &PollerHandler, mut out: File) -> Result<(), Failure> {
    let plugin = handler.manifest()?.plugin;
    writeln!(out, "{} {}", plugin.entrypoint.command, plugin.version)?;
    Ok(())
}
