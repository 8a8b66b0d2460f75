use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::NatsServerError;

/// The version that the test command obtains.
const VERSION: &str = "2.15.1";

/// The server's program: `NEXO_NATS_SERVER` where it is set, else the one on the PATH, else the one that the test command
/// has obtained.
pub(super) fn find() -> Result<PathBuf, NatsServerError> {
    if let Some(named) = std::env::var_os("NEXO_NATS_SERVER") {
        return Ok(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    let obtained = obtained_folder().join("bin/nats-server");
    on_path.chain([obtained.clone()]).find(|program| is_executable(program)).ok_or_else(|| NatsServerError::NotFound {
        looked_at: obtained.display().to_string(),
        folder: obtained_folder().display().to_string(),
        version: VERSION,
    })
}

/// Outside of any build tree, so that it is obtained once a machine.
fn obtained_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    cache.join("nexo-poller").join(format!("nats-server-{VERSION}"))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
