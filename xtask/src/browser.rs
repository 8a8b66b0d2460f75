//! The dashboard's tests need a browser, which is too large to come with every test run.

use crate::run::{cargo, finish};
use crate::{Outcome, debian};

/// Runs the tests of the dashboard in a real browser.
pub(crate) fn check() -> Outcome {
    debian::obtain(&["chromium", "chromium-browser", "google-chrome"], "chromium")?;
    let mut test = cargo();
    test.args(["test", "--package", "nexo-poller-daemon", "--test", "daemon", "--"]);
    finish(test.args(["--ignored", "--nocapture", "--test-threads", "1", "page::"]))
}
