use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd as _;
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer as _};

use super::log_writer::Guarded;
use super::pipe_writer::PipeWriter;
use super::traces::{Traces, TracesError};

/// Log lines that wait for whoever reads stderr: some ten thousand. `tracing-appender` would bound their number, and not what
/// they hold.
const WAITING: u32 = 2 * 1024 * 1024;

/// What the daemon says at its end is waited for this long.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The daemon's stderr: there is one, as there is one log.
static STDERR: OnceLock<PipeWriter> = OnceLock::new();

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Whose log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logging {
    /// A command's, which has nothing to do while nobody reads what it says.
    OfCommand,
    /// The daemon's: lines that nobody reads are dropped and counted, and its spans go to the collector that the environment names.
    OfDaemon,
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
    /// There is no stderr, or no thread for it.
    #[error("logging cannot start: {0}")]
    Stderr(#[from] io::Error),
    /// The collector of spans cannot be used.
    #[error(transparent)]
    Traces(#[from] TracesError),
}

/// Sends log lines to stderr; stdout belongs to the channel `console`. Spans go to the collector until what is returned is
/// dropped.
///
/// # Errors
/// [`LogsError`] where the filter or the collector's settings are wrong.
pub(crate) fn init(format: LogFormat, filter: &str, whose: Logging) -> Result<Traces, LogsError> {
    let filter = EnvFilter::try_new(filter)?;
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (writer, traced) = match whose {
        Logging::OfCommand => (BoxMakeWriter::new(io::stderr), false),
        Logging::OfDaemon => (BoxMakeWriter::new(daemons_stderr()?), true),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(Guarded(writer)).with_ansi(colours);
    let lines = match format {
        LogFormat::Pretty => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (layer, traces) = if traced { Traces::start()? } else { (None, Traces::default()) };
    tracing_subscriber::registry().with(filter).with(filter_fn(is_shown)).with(lines).with(layer).try_init()?;
    traces.tell();
    Ok(traces)
}

/// Below `info`, clients of HTTP, brokers and language models write down whole requests and answers, which hold what nobody knows
/// to be a secret. However loud the filter is, only our own crates are heard there.
fn is_shown(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || metadata.target().starts_with("nexo_poller")
}

/// Writes a line to stderr beside the log, also where logging is turned down.
pub(crate) fn say(text: &str) {
    match STDERR.get() {
        Some(stderr) => stderr.write_or_drop(format!("{text}\n").into_bytes()),
        // A reader that has gone is no error.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

/// Waits until the daemon's last lines were read, as long as that may take.
pub(crate) async fn flushed() {
    if let Some(stderr) = STDERR.get() {
        stderr.flushed(LAST_WORDS).await;
    }
}

/// Adds the counter of lines that nobody has read.
pub(crate) fn register(registry: &mut Registry) {
    let dropped = STDERR.get().map_or(0, PipeWriter::dropped);
    let help = "Log lines that were dropped because nobody read the daemon's stderr";
    registry.register("poller_log_lines_dropped", help, ConstCounter::new(dropped));
}

fn daemons_stderr() -> io::Result<impl Fn() -> LogLine> {
    let pipe = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let tell = |lines| tracing::warn!("{lines} log lines were dropped: nobody read the daemon's stderr fast enough");
    let writer = PipeWriter::start(pipe, WAITING, tell)?;
    let stderr = STDERR.get_or_init(|| writer);
    // A panic is told by the thread that panics, which must not wait for a reader either.
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let trace = Backtrace::capture();
        let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
        say(&format!("thread `{}` {info}{trace}", thread.name().unwrap_or("unnamed")));
    }));
    Ok(move || LogLine(stderr))
}

/// Takes a line of the log, which comes in one piece.
struct LogLine(&'static PipeWriter);

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_or_drop(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
