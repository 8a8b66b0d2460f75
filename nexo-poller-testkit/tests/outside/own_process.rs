//! A test that the other tests of its program would disturb, or that would disturb them.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "in a test a failure is the report")]

use std::env;
use std::process::Command;

/// Whether this process runs nothing but the test `name`. Where it does not, the test is run in a process that does, which must pass;
/// the caller then returns.
pub(crate) fn is_alone(name: &str) -> bool {
    const ALONE: &str = "NEXO_TEST_ALONE";
    if env::var_os(ALONE).is_some_and(|alone| alone == *name) {
        return true;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.args(["--exact", name, "--nocapture"]).env(ALONE, name).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}{err}");
    assert!(output.status.success(), "the test failed in a process of its own, see above");
    // A name that no test has would pass too.
    assert!(out.contains("test result: ok. 1 passed"), "there is no test `{name}`");
    false
}
