use std::path::{Path, PathBuf};

use tokio::process::Command;

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
}

impl PluginBinary {
    /// The plugin that `manifest` describes, started as `program`.
    pub fn new(manifest: Manifest, program: impl Into<PathBuf>) -> Self {
        Self { manifest, program: program.into(), grants: PluginGrants::default() }
    }

    /// What it may say and hear.
    #[must_use]
    pub fn rights(&self) -> PluginRights {
        PluginRights::of(&self.manifest.plugin, &self.grants)
    }

    /// Its program with what the manifest says of arguments and environment, in a process group of its own. Of the
    /// daemon's environment it inherits all but what is the daemon's own (`NEXO_…`, and what its service manager tells it).
    #[must_use]
    pub fn command(&self) -> Command {
        let entrypoint = &self.manifest.plugin.entrypoint;
        let mut command = plugin_command(&self.program);
        command.args(&entrypoint.args).envs(&entrypoint.env);
        command
    }
}

/// What a service manager has told the daemon, and nobody else: a plugin that knows these would speak for it.
const SERVICE_MANAGERS: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"];

/// A command for a plugin's binary: in a process group of its own, without what is the daemon's own in the environment.
pub(super) fn plugin_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"NEXO_") || SERVICE_MANAGERS.iter().any(|own| name == *own) {
            command.env_remove(name);
        }
    }
    command.process_group(0).kill_on_drop(true);
    command
}
