use std::path::PathBuf;

use clap::{Parser, Subcommand};
use nexo_poller::runner::JobPhase;

use crate::core::exit;
use crate::telemetry::logs::LogFormat;

/// Runs pollers on their schedules, and talks to the daemon that does.
#[derive(Debug, Parser)]
#[command(name = "nexo-poller", version, after_help = exit::HELP)]
pub(super) struct Args {
    /// The file with the jobs.
    #[arg(short, long, global = true, env = "NEXO_POLLERS", default_value = "pollers.yaml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// What is logged to stderr: `info`, `debug`, `nexo_poller=trace` …
    #[arg(long, global = true, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub(super) log: String,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    #[command(flatten)]
    pub(super) place: AdminPlace,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// A daemon on another machine.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Another machine's daemon")]
pub(super) struct AdminPlace {
    /// Ask the daemon at this URL, with the token in `NEXO_POLLER_ADMIN_TOKEN`, rather than the one of the file.
    #[arg(long, global = true, env = "NEXO_POLLER_ADMIN_URL", value_name = "URL")]
    pub(super) admin_url: Option<String>,
    /// The authority that signed its certificate (PEM), if the system does not know it.
    #[arg(long, global = true, env = "NEXO_POLLER_ADMIN_CA", value_name = "FILE")]
    pub(super) admin_ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon; with a job's id, ask the running daemon for one tick of it now.
    Run {
        /// The job.
        job: Option<String>,
    },
    /// Check the file and every job's config, without running anything.
    Check,
    /// Print the JSON Schema of the file, with the config of every kind that is offered: editors complete and check with it.
    Schema,
    /// List the jobs.
    List(Wanted),
    /// Show one job: what it does, why it does not run, when it will.
    Show {
        /// The job.
        job: String,
    },
    /// List a job's next runs.
    Next {
        /// The job.
        job: String,
        /// How many.
        #[arg(short = 'n', long, default_value_t = 10)]
        count: usize,
    },
    /// Run one tick of which nothing remains, and show what it would have published and where it would have gone on.
    DryRun {
        /// The job.
        job: String,
    },
    /// Show where a job's next tick resumes, or change it.
    #[command(group(clap::ArgGroup::new("change").multiple(false)))]
    Cursor {
        /// The job.
        job: String,
        /// Resume from these bytes, written as text; most pollers' cursors are JSON.
        #[arg(long, group = "change", value_name = "TEXT")]
        set: Option<String>,
        /// Resume from these bytes, written as base64.
        #[arg(long, group = "change", value_name = "BASE64")]
        set_base64: Option<String>,
        /// Start from nothing; unlike `reset`, errors and pause stay.
        #[arg(long, group = "change")]
        clear: bool,
        /// Bring back the cursor that the last `reset`, `--set` or tick replaced.
        #[arg(long, group = "change")]
        restore: bool,
    },
    /// Pause a job until it is resumed, over restarts.
    Pause {
        /// The job.
        job: String,
        /// Why; `show` tells it to the next person.
        #[arg(long, default_value = "no reason was given")]
        reason: String,
        /// Who pauses it.
        #[arg(long, env = "USER", hide_env_values = true)]
        by: Option<String>,
    },
    /// Resume a paused job; it keeps its cursor.
    Resume {
        /// The job.
        job: String,
    },
    /// Forget a job's cursor, errors and pause: its next tick starts from nothing.
    Reset {
        /// The job.
        job: String,
        /// Yes, forget the cursor; without it, a terminal is asked.
        #[arg(long)]
        yes: bool,
    },
    /// Read the file again, and apply what changed.
    Reload {
        /// Only print what would change.
        #[arg(long)]
        plan: bool,
    },
    /// Show the jobs as they are now and keep on, those in trouble first.
    Top {
        /// Seconds between two looks.
        #[arg(long, default_value_t = 1.0, value_name = "SECONDS", value_parser = seconds)]
        every: f64,
    },
    /// Say whether the daemon can do its work: its plugins are up, its state can be written. For probes: 0 if so, 1 if not.
    Ready,
    /// List the plugins.
    Plugins,
    /// Print the last lines that a plugin wrote to its stderr.
    Logs {
        /// The plugin.
        plugin: String,
    },
    /// Print what happens to jobs, as it happens.
    Events {
        /// Only this job's.
        job: Option<String>,
    },
    /// Copy the job state into a file of this machine, while the daemon works; to restore it, stop the daemon and put it back.
    Backup {
        /// The copy; readable for its owner only.
        file: PathBuf,
        /// Replace the file if it is there.
        #[arg(long)]
        force: bool,
    },
    /// Print a completion script: `nexo-poller completions bash > /etc/bash_completion.d/nexo-poller`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory.
    Man {
        /// The directory; it is made where it is missing.
        dir: PathBuf,
    },
    /// Print the users of the NATS server and what each needs, from the manifests of `broker.plugins`.
    NatsPermissions {
        /// Let every plugin use the whole of `_inbox.>`, as published SDKs do; then plugins can overhear answers.
        #[arg(long)]
        shared_inbox: bool,
    },
    /// Say what stands between a poller's crate and a good publication, with the fixes.
    Doctor {
        /// The crate.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Leave out what only its tests can tell.
        #[arg(long)]
        no_test: bool,
    },
}

/// Why a text is no number of seconds.
#[derive(Debug, thiserror::Error)]
enum SecondsError {
    #[error("it must be a number")]
    NoNumber(#[from] std::num::ParseFloatError),
    #[error("it must be between 0.1 and 3600")]
    OutOfRange,
}

fn seconds(text: &str) -> Result<f64, SecondsError> {
    let seconds: f64 = text.parse()?;
    if (0.1..=3_600.0).contains(&seconds) { Ok(seconds) } else { Err(SecondsError::OutOfRange) }
}

/// Which jobs are listed.
#[derive(Debug, clap::Args)]
pub(super) struct Wanted {
    /// Only jobs in this phase.
    #[arg(long, value_parser = JobPhase::ALL.map(JobPhase::as_str))]
    pub(super) phase: Option<String>,
    /// Only jobs of this kind.
    #[arg(long)]
    pub(super) kind: Option<String>,
    /// Only jobs of this agent.
    #[arg(long)]
    pub(super) agent: Option<String>,
    /// Only jobs whose id holds this text.
    #[arg(short = 'q', long = "match", value_name = "TEXT")]
    pub(super) text: Option<String>,
    /// Only jobs whose id comes after this one.
    #[arg(long, value_name = "JOB")]
    pub(super) after: Option<String>,
    /// At most so many.
    #[arg(long)]
    pub(super) limit: Option<usize>,
}
