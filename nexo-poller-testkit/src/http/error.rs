use std::path::PathBuf;

/// Why a recording could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The file cannot be used.
    #[error("the recording {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("the recording {}: {error}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where, and what was expected.
        error: serde_json::Error,
    },
}
