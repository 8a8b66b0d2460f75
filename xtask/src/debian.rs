//! Programs that some checks need and that are too large to come with every one.

use std::env;
use std::process::Command;

use crate::run::finish;
use crate::{Outcome, say};

/// One of `programs` on the PATH is used as it is; otherwise Debian's `package` is installed, where that is allowed.
pub(crate) fn obtain(programs: &[&str], package: &str) -> Outcome {
    let path = env::var_os("PATH").unwrap_or_default();
    let known = |name: &&str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if programs.iter().any(known) {
        return Ok(());
    }
    say(&format!("installing {package}"))?;
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    finish(update.args(["update", "--quiet"])).and_then(|()| finish(&mut install)).map_err(|error| {
        let programs = programs.join(" or ");
        format!("{programs} is not here, and Debian's {package} cannot be installed ({error}): put it on the PATH")
    })
}
