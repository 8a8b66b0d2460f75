use std::process::Command;

use crate::nats_server::cache;
use crate::run::{cargo, finish, output, root};
use crate::{Outcome, say};

/// The crates whose interface others build on. The daemon is a program, and has none.
const PUBLISHED: [&str; 3] = ["nexo-poller", "nexo-poller-macros", "nexo-poller-testkit"];

/// The versions in the manifests are large enough for what has changed since `since`, else since the last release: the newest tag
/// `v*` of this history. The default features are judged: what an author meets. `cargo-semver-checks` says so; it is installed into the user's cache where it is missing.
pub(crate) fn check(since: Option<&str>) -> Outcome {
    let mut describe = Command::new("git");
    describe.current_dir(root()).args(["describe", "--tags", "--abbrev=0", "--match", "v*"]);
    let Some(since) = since.map(str::to_owned).or_else(|| output(&mut describe).ok()) else {
        return say("semver: this history has no release yet, so there is nothing to compare with");
    };
    let since = since.trim();
    let tool = cache().join("cargo-semver-checks");
    let bin = tool.join("bin/cargo-semver-checks");
    if !bin.is_file() {
        say("obtaining cargo-semver-checks")?;
        finish(cargo().args(["install", "--quiet", "--locked", "cargo-semver-checks", "--root"]).arg(&tool))?;
    }
    let mut check = Command::new(bin);
    check.current_dir(root()).args(["semver-checks", "--default-features", "--baseline-rev", since]);
    for name in PUBLISHED {
        check.args(["--package", name]);
    }
    finish(&mut check)?;
    say(&format!("semver: the versions are large enough for what has changed since {since}"))
}
