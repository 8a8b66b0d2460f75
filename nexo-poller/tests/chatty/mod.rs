//! The misbehaving plugin of `examples/fixture_chatty.rs`, as a real process.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// The built example. Tests of one target do not make Cargo build it, so it is asked for.
static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
    // target/<profile>/deps/<this test>
    let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let optimized: &[&str] = if profile.ends_with("release") { &["--release"] } else { &[] };
    let features: &[&str] = if cfg!(feature = "daemon") { &["--all-features"] } else { &[] };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "nexo-poller", "--example", "fixture_chatty"])
        .args(optimized)
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the example fixture_chatty does not build");
    profile.join("examples").join(format!("fixture_chatty{}", std::env::consts::EXE_SUFFIX))
});

/// A command for it, without what this process's own environment says about daemons.
pub(crate) fn chatty() -> Command {
    let mut command = Command::new(&*BINARY);
    for name in ["NEXO_POLLER_EPHEMERAL", "NEXO_POLLER_PLUGIN_ID", "NEXO_BROKER_URL", "NO_COLOR", "CHATTY_TWO_KINDS"] {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "0");
    command
}
