use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use super::traces::Traces;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Sends log lines to stderr; stdout belongs to the channel `console`. Where `traced` and the environment names a collector,
/// spans go there until what is returned is dropped.
///
/// # Errors
/// A sentence where `filter` is none, as `RUST_LOG` understands them, or the collector's settings are wrong.
pub(crate) fn init(format: LogFormat, filter: &str, traced: bool) -> Result<Traces, String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter is not understood ({error}); try `info` or `nexo_poller=debug`"))?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let lines = match format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (layer, traces) = if traced { Traces::start()? } else { (None, Traces::default()) };
    let set = tracing_subscriber::registry().with(filter).with(lines).with(layer).try_init();
    set.map_err(|error| format!("logging cannot start: {error}"))?;
    traces.tell();
    Ok(traces)
}
