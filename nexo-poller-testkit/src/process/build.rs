use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;

use super::ProcessError;

/// Built once a test run: tests of one process share it.
static BUILT: LazyLock<Mutex<HashMap<(PathBuf, String), PathBuf>>> = LazyLock::new(Mutex::default);

/// The built binary `bin` of the crate in `folder`; Cargo builds it if it is not there or not new. In the profile that the
/// test itself was built in.
///
/// ```no_run
/// # fn main() -> Result<(), nexo_poller_testkit::process::ProcessError> {
/// let program = nexo_poller_testkit::process::built_binary(env!("CARGO_MANIFEST_DIR"), "jira-poller")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ProcessError::Build`] with what Cargo said, [`ProcessError::NoBinary`].
pub fn built_binary(folder: impl AsRef<Path>, bin: &str) -> Result<PathBuf, ProcessError> {
    let folder = folder.as_ref().to_owned();
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (folder, bin.to_owned());
    if let Some(program) = built.get(&key) {
        return Ok(program.clone());
    }
    let program = build(&key.0, bin)?;
    built.insert(key, program.clone());
    Ok(program)
}

fn build(folder: &Path, bin: &str) -> Result<PathBuf, ProcessError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--message-format=json-render-diagnostics", "--bin", bin]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(folder).stdin(Stdio::null());
    // What Cargo tells this test about its package would make build scripts that look at it (ring's) run again: everything
    // above them would be built again, here and in the next build.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    let output = command.output().map_err(ProcessError::io("cargo cannot be started"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        return Err(ProcessError::Build { bin: bin.to_owned(), folder: folder.to_owned(), said });
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable = messages.lines().find_map(|line| executable_of(line, bin));
    executable.ok_or_else(|| ProcessError::NoBinary { bin: bin.to_owned(), folder: folder.to_owned() })
}

/// Where a line of Cargo's says that the binary `bin` is.
fn executable_of(line: &str, bin: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_it = message["reason"] == "compiler-artifact" && message["target"]["name"] == bin;
    is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
}
