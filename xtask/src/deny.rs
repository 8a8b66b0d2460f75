use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::nats_server::cache;
use crate::run::{cargo, finish, root};
use crate::{Outcome, say};

/// The version that deny.toml is written for.
const VERSION: &str = "0.20.2";

/// Every package of the lock file is one that deny.toml allows. Known vulnerabilities are looked up where their database can be
/// fetched; where it cannot, this says so.
pub(crate) fn check() -> Outcome {
    let tool = obtain()?;
    finish(deny(&tool).args(["check", "bans", "licenses", "sources"]))?;
    if has_fetched_the_database(&tool) {
        finish(deny(&tool).args(["check", "--disable-fetch", "advisories"]))?;
        return say("deny: bans, licenses, sources and advisories hold");
    }
    say(
        "deny: bans, licenses and sources hold; ADVISORIES WERE NOT CHECKED: their database cannot be fetched from here",
    )
}

/// One that is on the PATH is used as it is; otherwise it is built once, into the user's cache.
fn obtain() -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(known) = env::split_paths(&path).map(|folder| folder.join("cargo-deny")).find(|file| file.is_file()) {
        return Ok(known);
    }
    let folder = cache().join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if !program.is_file() {
        say(&format!("building cargo-deny {VERSION}, once; this takes minutes"))?;
        let mut install = cargo();
        install.args(["install", "cargo-deny", "--version", VERSION, "--locked", "--quiet", "--root"]).arg(&folder);
        finish(&mut install)?;
    }
    Ok(program)
}

fn deny(tool: &Path) -> Command {
    let mut deny = Command::new(tool);
    deny.current_dir(root()).arg("--locked");
    deny
}

/// Whether the database of advisories is here, as it is today. Its complaints are not shown: that it is out of reach is no error.
fn has_fetched_the_database(tool: &Path) -> bool {
    let mut fetch = deny(tool);
    fetch.args(["fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null());
    fetch.status().is_ok_and(|status| status.success())
}
