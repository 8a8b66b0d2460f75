//! What authors write and what the compiler answers. Each `fail/*.stderr` is read as a person would read it.

#[test]
fn what_authors_may_write_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

// The words of the compiler's own messages change with it: this one is pinned in `rust-toolchain.toml`.
#[test]
fn every_mistake_is_told_once_on_its_token() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}
