use std::fs::File;
use std::io::Write as _;

use super::failure::Failure;
use super::{chosen, help, input};
use crate::plugin::PollerHandler;

/// Checks a config without a tick.
pub(super) fn validate(
    handler: &PollerHandler,
    kind: Option<&str>,
    source: Option<&str>,
    mut out: File,
) -> Result<(), Failure> {
    let kind = chosen::kind(handler, kind)?;
    let config = input::config(source)?;
    kind.poller.validate(&config).map_err(|error| Failure::from(&error))?;
    writeln!(out, "the config is valid for kind `{}`", kind.declaration.kind)?;
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
