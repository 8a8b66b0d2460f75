use std::path::PathBuf;
use std::time::Duration;

/// Why a plugin's binary could not be driven.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// Cargo could not build it.
    #[error("`cargo build` of the binary `{bin}` in {} failed:\n{said}", folder.display())]
    Build {
        /// The binary's name.
        bin: String,
        /// The crate's folder.
        folder: PathBuf,
        /// What Cargo said.
        said: String,
    },
    /// The crate has no such binary.
    #[error("the crate in {} has no binary `{bin}`; name the one that serves the poller", folder.display())]
    NoBinary {
        /// The binary's name.
        bin: String,
        /// The crate's folder.
        folder: PathBuf,
    },
    /// It is no plugin.
    #[error("{0}")]
    NoPlugin(String),
    /// It did not come up.
    #[error("the plugin did not come up within {} s: {why}", after.as_secs())]
    NotUp {
        /// How long it was waited.
        after: Duration,
        /// What its supervisor says.
        why: String,
    },
    /// It serves other kinds.
    #[error("the plugin does not serve the kind `{kind}`; it serves {served}")]
    NoKind {
        /// The kind that was asked for.
        kind: String,
        /// Those that it serves.
        served: String,
    },
    /// The operating system refused something.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        error: std::io::Error,
    },
}

impl ProcessError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}
