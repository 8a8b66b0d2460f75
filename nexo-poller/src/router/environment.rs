use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

/// What a plugin's process has of this process's environment, besides `LC_…`: where programs, temporary files and time zones are,
/// the language, whom to trust, and how the world is reached. Everything else is the daemon's own: a token, a socket of its
/// service manager, an account of a cloud.
const INHERITED: [&str; 14] = [
    "PATH",
    "TMPDIR",
    "LANG",
    "TZ",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// What those have for a home who have none.
const NO_HOME: &str = "/nonexistent";

/// What a plugin's process is given that neither its manifest nor the protocol says: a home of its own, and variables.
///
/// Of the environment of whoever starts it, a plugin sees `PATH`, `TMPDIR`, `LANG`, `LC_…`, `TZ`, `SSL_CERT_FILE`, `SSL_CERT_DIR` and the
/// proxy variables, and nothing else.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginEnvironment {
    home: Option<PathBuf>,
    variables: BTreeMap<String, String>,
}

impl PluginEnvironment {
    /// No home, no variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `HOME` is this folder, which whoever starts the plugin has made. Without one, it names a folder that does not exist.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = Some(home.into());
        self
    }

    /// These variables as well; they come before what the manifest says.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// The plugin's home, where it has one.
    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// A command for a plugin's binary, the one way in which one is started: in a process group of its own, and with this
    /// environment. `of_manifest` are the variables that its manifest asks for.
    #[must_use]
    pub fn command<'v>(
        &self,
        program: &Path,
        of_manifest: impl IntoIterator<Item = (&'v String, &'v String)>,
    ) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(inherited()).env("HOME", self.home.as_deref().unwrap_or(Path::new(NO_HOME)));
        command.envs(of_manifest).envs(&self.variables);
        command.process_group(0).kill_on_drop(true);
        command
    }
}

/// Shows names only: what an operator hands to a plugin is mostly a secret.
impl fmt::Debug for PluginEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("PluginEnvironment").field("home", &self.home).field("variables", &names).finish()
    }
}

fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| is_inherited(name))
}

fn is_inherited(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"LC_") || INHERITED.iter().any(|inherited| name == *inherited)
}
