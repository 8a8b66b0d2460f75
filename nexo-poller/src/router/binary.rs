use std::path::PathBuf;

use tokio::process::Command;

use super::environment::PluginEnvironment;
use crate::manifest::{Manifest, PluginGrants, PluginRights};

/// A plugin that was found on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginBinary {
    /// Who it is and what it serves.
    pub manifest: Manifest,
    /// The program to start: a path, or a name on the PATH.
    pub program: PathBuf,
    /// What the operator allows it beyond what every plugin may.
    pub grants: PluginGrants,
    /// What its processes are given besides.
    pub environment: PluginEnvironment,
}

impl PluginBinary {
    /// The plugin that `manifest` describes, started as `program`.
    pub fn new(manifest: Manifest, program: impl Into<PathBuf>) -> Self {
        Self {
            manifest,
            program: program.into(),
            grants: PluginGrants::default(),
            environment: PluginEnvironment::default(),
        }
    }

    /// What it may say and hear.
    #[must_use]
    pub fn rights(&self) -> PluginRights {
        PluginRights::of(&self.manifest.plugin, &self.grants)
    }

    /// Gives its processes `environment`.
    #[must_use]
    pub fn with_environment(mut self, environment: PluginEnvironment) -> Self {
        self.environment = environment;
        self
    }

    /// Its program with what the manifest says of arguments and environment, in a process group of its own.
    #[must_use]
    pub fn command(&self) -> Command {
        let entrypoint = &self.manifest.plugin.entrypoint;
        let mut command = self.environment.command(&self.program, &entrypoint.env);
        command.args(&entrypoint.args);
        command
    }
}
