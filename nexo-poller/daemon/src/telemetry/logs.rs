use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _};

use super::traces::{Traces, TracesError};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogsError {
    /// The filter is not one that `RUST_LOG` could have.
    #[error("the log filter is not understood ({0}); try `info` or `nexo_poller=debug`")]
    Filter(#[from] ParseError),
    /// Somebody in this process logs already.
    #[error("logging cannot start: {0}")]
    Start(#[from] TryInitError),
    /// The collector of spans cannot be used.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// Sends log lines to stderr; stdout belongs to the channel `console`. Where `traced` and the environment names a collector,
/// spans go there until what is returned is dropped.
///
/// # Errors
/// [`LogsError`] where the filter or the collector's settings are wrong.
pub(crate) fn init(format: LogFormat, filter: &str, traced: bool) -> Result<Traces, LogsError> {
    let filter = EnvFilter::try_new(filter)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (layer, traces) = if traced { Traces::start()? } else { (None, Traces::default()) };
    tracing_subscriber::registry().with(filter).with(lines).with(layer).try_init()?;
    traces.tell();
    Ok(traces)
}
