use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Ok,
    /// 1: it did not work; the message says why.
    Failed,
    /// 2: the command line, or a variable that stands for an option, is wrong.
    Usage,
    /// 3: `pollers.yaml`, or a job's config, is wrong.
    Config,
    /// 4: a tick failed for good; the job is paused.
    Permanent,
    /// 5: a tick failed for now; the job is retried.
    Transient,
    /// 6: no daemon answers.
    NoDaemon,
}

impl Exit {
    /// The number.
    #[must_use]
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Config => 3,
            Self::Permanent => 4,
            Self::Transient => 5,
            Self::NoDaemon => 6,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  it did not work; the message says why
  2  the command line is wrong
  3  pollers.yaml, or a job's config, is wrong
  4  run <JOB>: the tick failed for good, the job is paused
  5  run <JOB>: the tick failed for now, the job is retried
  6  no daemon answers

`run` ends within 10 seconds of SIGTERM or SIGINT; a second signal ends it at once. SIGHUP reloads the file.";
