//! What authors write and what the compiler answers. Each `fail/*.stderr` is read as a person would read it.

use std::path::PathBuf;
use std::process::Command;

/// The compiler whose own words stand in some of the expected texts; they change from one to the next.
const RECORDED_WITH: &str = "rustc 1.95.";

#[test]
fn what_authors_may_write_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn every_mistake_is_told_once_on_its_token() {
    let compiler = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let compiler = String::from_utf8(compiler.expect("rustc says its version").stdout).expect("a version is text");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir("tests/ui/fail").expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    cases.sort();
    let (all, tests) = (cases.len(), trybuild::TestCases::new());
    if !compiler.starts_with(RECORDED_WITH) {
        // Ours are `error: …`; the compiler's own have a number.
        cases.retain(|path| {
            !std::fs::read_to_string(path.with_extension("stderr")).expect("what is expected").contains("error[E")
        });
        println!(
            "{} of {all} cases hold words of {RECORDED_WITH}x and are left out: this is {compiler}",
            all - cases.len()
        );
    }
    assert!(cases.len() >= 40, "{} cases", cases.len());
    for case in cases {
        tests.compile_fail(case);
    }
}
