//! The dashboard's tests need a browser, which is too large to come with every test run.

use std::env;
use std::process::Command;

use crate::run::{cargo, finish};
use crate::{Outcome, say};

/// Runs the tests of the dashboard in a real browser.
pub(crate) fn check() -> Outcome {
    obtain()?;
    let mut test = cargo();
    test.args(["test", "--package", "nexo-poller", "--all-features", "--test", "daemon", "--"]);
    finish(test.args(["--ignored", "--nocapture", "--test-threads", "1", "page::"]))
}

/// One that is on the PATH is used as it is; otherwise Debian's is installed, where that is allowed.
fn obtain() -> Outcome {
    let path = env::var_os("PATH").unwrap_or_default();
    let known = |name: &str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if ["chromium", "chromium-browser", "google-chrome"].into_iter().any(known) {
        return Ok(());
    }
    say("installing chromium")?;
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends", "chromium"]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    finish(update.args(["update", "--quiet"])).and_then(|()| finish(&mut install)).map_err(|error| {
        format!("no browser, and none can be installed ({error}): put chromium or google-chrome on the PATH")
    })
}
