use std::path::PathBuf;

use clap::{Parser, Subcommand};
use nexo_poller::runner::JobPhase;

use crate::core::exit;
use crate::telemetry::logs::LogFormat;

/// Run pollers on their schedules, and control the daemon that runs them.
#[derive(Debug, Parser)]
#[command(name = "nexo-poller", version, after_help = exit::HELP)]
pub(super) struct Args {
    /// The file with the jobs.
    #[arg(short, long, global = true, env = "NEXO_POLLERS", default_value = "pollers.yaml", value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Print JSON, for programs.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// What to log to stderr: `info`, `debug`, `nexo_poller=trace` …
    #[arg(long, global = true, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub(super) log: String,
    /// The format of log lines.
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
    /// Talk to the daemon at this URL instead of the one that runs FILE; the token is read from `NEXO_POLLER_ADMIN_TOKEN`.
    #[arg(long, global = true, env = "NEXO_POLLER_ADMIN_URL", value_name = "URL")]
    pub(super) admin_url: Option<String>,
    /// The certificate authority (PEM) that signed its certificate, if the system does not trust it already.
    #[arg(long, global = true, env = "NEXO_POLLER_ADMIN_CA", value_name = "FILE")]
    pub(super) admin_ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon. With JOB: let the running daemon run one tick of that job now.
    Run {
        /// The job.
        job: Option<String>,
    },
    /// Check the file and every job's config without running anything.
    Check,
    /// Print the JSON Schema of the file, including the config of every available kind, for completion and checks in editors.
    Schema,
    /// List the jobs.
    List(Wanted),
    /// Show one job: its state, when it runs next, and why it is not running.
    Show {
        /// The job.
        job: String,
    },
    /// List the next runs of a job.
    Next {
        /// The job.
        job: String,
        /// How many runs to list.
        #[arg(short = 'n', long, default_value_t = 10)]
        count: usize,
    },
    /// Run one tick without publishing or saving anything, and show what it would have published and its next cursor.
    DryRun {
        /// The job.
        job: String,
    },
    /// Show or change the cursor from which a job's next tick resumes.
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
        /// Remove the cursor; unlike `reset`, this keeps errors and pause.
        #[arg(long, group = "change")]
        clear: bool,
        /// Restore the cursor that the last `reset`, `--set` or tick replaced.
        #[arg(long, group = "change")]
        restore: bool,
    },
    /// Pause a job until it is resumed; the pause survives restarts.
    Pause {
        /// The job.
        job: String,
        /// The reason, shown by `show`.
        #[arg(long, default_value = "no reason was given")]
        reason: String,
        /// Who paused it.
        #[arg(long, env = "USER", hide_env_values = true)]
        by: Option<String>,
    },
    /// Resume a paused job; it keeps its cursor.
    Resume {
        /// The job.
        job: String,
    },
    /// Remove a job's cursor, errors and pause: its next tick is like its first.
    Reset {
        /// The job.
        job: String,
        /// Do not ask for confirmation.
        #[arg(long)]
        yes: bool,
    },
    /// Read the file again and apply what changed.
    Reload {
        /// Only print what would change.
        #[arg(long)]
        plan: bool,
    },
    /// Show a live view of the jobs, those with problems first.
    Top {
        /// Seconds between updates.
        #[arg(long, default_value_t = 1.0, value_name = "SECONDS", value_parser = seconds)]
        every: f64,
    },
    /// Exit with 0 if the daemon is ready (plugins up, state writable), otherwise with 1 and the reasons. For probes.
    Ready,
    /// List the plugins.
    Plugins,
    /// Print the last lines that a plugin wrote to stderr.
    Logs {
        /// The plugin.
        plugin: String,
    },
    /// Print events of jobs as they happen.
    Events {
        /// Only events of this job.
        job: Option<String>,
    },
    /// Copy the job state to a file on this machine while the daemon runs. To restore it, stop the daemon and copy it back.
    Backup {
        /// Where to write the copy; only its owner can read it.
        file: PathBuf,
        /// Overwrite the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Print a completion script: `nexo-poller completions bash > /etc/bash_completion.d/nexo-poller`.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a directory.
    Man {
        /// The directory; it is created if it does not exist.
        dir: PathBuf,
    },
    /// Print the users and permissions that the NATS server needs, from the manifests in `broker.plugins`.
    NatsPermissions {
        /// Let every plugin subscribe as published SDKs do: to its ticks without a queue group, and to all of `_inbox.>`. Plugins
        /// can then read each other's answers, and two copies of one can each run every tick. Published SDKs also log in without user
        /// and password: the output says how the server lets one of them in (`no_auth_user`).
        #[arg(long)]
        shared_inbox: bool,
    },
    /// Check whether a poller's crate is ready to be published, and say how to fix what is not.
    Doctor {
        /// The folder of the crate.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Do not run the crate's tests.
        #[arg(long)]
        no_test: bool,
    },
}

/// Why a text is not a number of seconds.
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
    /// Only jobs whose id contains this text.
    #[arg(short = 'q', long = "match", value_name = "TEXT")]
    pub(super) text: Option<String>,
    /// Only jobs whose id sorts after this one.
    #[arg(long, value_name = "JOB")]
    pub(super) after: Option<String>,
    /// At most this many jobs.
    #[arg(long)]
    pub(super) limit: Option<usize>,
}
