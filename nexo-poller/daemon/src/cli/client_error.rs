use std::error::Error;
use std::io;

use crate::core::exit::Exit;

/// Why a command ends.
#[derive(Debug)]
pub(super) struct ClientError {
    pub(super) exit: Exit,
    pub(super) sentence: String,
}

impl ClientError {
    pub(super) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into() }
    }
}

/// What is behind a failed request: of TLS an unknown authority, say.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(deeper) = below(cause) {
        cause = deeper;
    }
    match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS: is it http://?".to_owned(),
        _ => cause.to_string(),
    }
}

/// An I/O error passes what it wraps off as itself, and names only what is below that as its source.
fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
