//! What authors write and what the compiler answers. Each `fail/*.stderr` is read as a person would read it.

use std::collections::BTreeMap;
use std::process::Command;

/// The pinned toolchain. Its own words stand in some of the expected texts, and they change from one to the next.
const RECORDED_WITH: &str = "rustc 1.95.";

/// The cases that print more than one error, because they hold more than one mistake or because the compiler refuses
/// the untouched function for the same reason.
const SEVERAL_ERRORS: [(&str, usize); 6] = [
    ("every_argument_is_wrong", 3),
    ("fn_is_called_main", 2),
    ("fn_is_const", 2),
    ("publish_bad_patterns", 5),
    ("self_argument", 2),
    ("several_mistakes_at_once", 4),
];

#[test]
fn what_authors_may_write_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn every_mistake_is_reported_on_its_token() {
    let compiler = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let compiler = String::from_utf8(compiler.expect("rustc prints its version").stdout).expect("a version is text");
    assert!(
        compiler.starts_with(RECORDED_WITH),
        "the expected texts were recorded with {RECORDED_WITH}x, the pinned toolchain, but this is {compiler}: \
         use that one, or record them again (TRYBUILD=overwrite) and read every change"
    );
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

/// Also where somebody has recorded a second error without reading it.
#[test]
fn every_mistake_is_reported_once() {
    let expected = BTreeMap::from(SEVERAL_ERRORS);
    let mut cases = 0;
    for entry in std::fs::read_dir("tests/ui/fail").expect("the folder of the cases") {
        let text = entry.expect("a case").path();
        if text.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        assert!(text.with_extension("rs").exists(), "{}: its case is gone", text.display());
        let case = text.file_stem().and_then(|stem| stem.to_str()).expect("a name is text");
        let recorded = std::fs::read_to_string(&text).expect("what is expected");
        let errors: Vec<&str> = recorded.lines().filter(|line| line.starts_with("error")).collect();
        let expected = expected.get(case).copied().unwrap_or(1);
        assert_eq!(errors.len(), expected, "{}: {errors:#?}", text.display());
        cases += 1;
    }
    assert!(cases >= 60, "{cases} cases");
}
