//! The short form of the `fuzz_framer` bench.

#[path = "../../benches/support/lines.rs"]
mod lines;

#[test]
fn broken_lines_and_noise_panic_nowhere_and_cost_no_good_line() {
    let mut fuzzer = lines::Fuzzer::new(0x5eed);
    for _ in 0..100_000 {
        fuzzer.run();
    }
}
