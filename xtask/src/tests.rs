use crate::run::{cargo, finish};
use crate::{Outcome, nats_server};

/// All tests, with all that they need.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    nats_server::obtain()?;
    // Some tests spawn the daemon and the examples' plugins: they are to be this version.
    // The fixtures build themselves, as authors build their plugins: without the features of everybody else.
    let workspace = ["--workspace", "--exclude", "fixtures", "--all-features"];
    finish(cargo().arg("build").args(workspace).args(["--bins", "--examples"]))?;
    finish(cargo().arg("test").args(workspace).args(arguments))
}
