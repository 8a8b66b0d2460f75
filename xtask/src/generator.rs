//! `cargo-generate`, which makes trees of our templates.

use std::env;
use std::path::PathBuf;

use crate::nats_server::cache;
use crate::run::{cargo, finish};
use crate::say;

/// The newest that builds with the Rust of this workspace.
const VERSION: &str = "0.23.8";

/// One that is on the PATH is used as it is; otherwise it is built once, into the user's cache.
pub(crate) fn obtain() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(known) = env::split_paths(&path).map(|folder| folder.join("cargo-generate")).find(|file| file.is_file())
    {
        return Ok(known);
    }
    let folder = cache().join(format!("cargo-generate-{VERSION}"));
    let program = folder.join("bin/cargo-generate");
    if !program.is_file() {
        say(&format!("building cargo-generate {VERSION}, once"))?;
        let mut install = cargo();
        install.args(["install", "cargo-generate", "--version", VERSION, "--locked", "--quiet", "--root"]).arg(&folder);
        finish(&mut install)?;
    }
    Ok(program)
}
