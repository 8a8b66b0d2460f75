//! One target under libFuzzer: the one that `NEXO_FUZZ_TARGET` names. Without the flags of `cargo xtask fuzz` it only says so.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    static TARGET: std::sync::LazyLock<fn(&[u8])> = std::sync::LazyLock::new(|| {
        let name = std::env::var("NEXO_FUZZ_TARGET").unwrap_or_default();
        nexo_poller_fuzz::target(&name).unwrap_or_else(|| panic!("NEXO_FUZZ_TARGET names no target: {name:?}"))
    });
    TARGET(input);
});

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    eprintln!("this program is built without libFuzzer; run `cargo xtask fuzz TARGET`");
    std::process::ExitCode::FAILURE
}
