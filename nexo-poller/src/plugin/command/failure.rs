use std::process::ExitCode;

use crate::contract::{ErrorClass, PollerError};
use crate::manifest::DeclarationConflict;

/// Why a command did not do what it was asked, and the exit code that says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    code: u8,
    message: Option<String>,
}

impl Failure {
    /// Anything that has no code of its own.
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self { code: 1, message: Some(message.into()) }
    }

    /// The command line is wrong.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: 2, message: Some(format!("{}; --help lists the commands and their options", message.into())) }
    }

    /// The config is wrong.
    pub(super) fn config(message: impl Into<String>) -> Self {
        Self { code: 3, message: Some(message.into()) }
    }

    /// A tick failed, and the report has said so already.
    pub(super) fn of_tick(class: ErrorClass) -> Self {
        let code = match class {
            ErrorClass::Config => 3,
            ErrorClass::Permanent => 4,
            ErrorClass::Transient => 5,
        };
        Self { code, message: None }
    }

    /// Nothing is left to say: stdout is gone (`once | head`), or somebody else said it.
    pub(super) fn silent() -> Self {
        Self { code: 1, message: None }
    }

    /// What is wrong with the config, where that is it.
    pub(super) fn of_config(&self) -> Option<&str> {
        self.message().filter(|_| self.code == Self::of_tick(ErrorClass::Config).code)
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl From<DeclarationConflict> for Failure {
    fn from(conflict: DeclarationConflict) -> Self {
        Self::other(format!("this plugin cannot have a manifest: {conflict}"))
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::usage(error.to_string())
    }
}

/// Writing to our stdout failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::silent(),
            _ => Self::other(format!("stdout cannot be written: {error}")),
        }
    }
}

impl From<&PollerError> for Failure {
    fn from(error: &PollerError) -> Self {
        Self { message: Some(error.to_string()), ..Self::of_tick(error.class()) }
    }
}
