//! Everything that reads what another program has written, fed with what no program would write.
//!
//! `cargo test -p nexo-poller-fuzz` gives each target some thousands of random inputs. `cargo xtask fuzz framer` lets libFuzzer look
//! for inputs that reach code which no input has reached before, for as long as it may; `cargo xtask help` has its options.
//!
//! A target takes any bytes, returns, and panics where it has found something.
#![forbid(unsafe_code)]

mod config;
mod cron;
mod cursor;
mod framer;
mod frames;
mod lines;
mod manifest;
mod template;
mod yaml;

/// What takes any bytes.
pub type Target = fn(&[u8]);

/// A target by its name, and how often `cargo test` runs it.
const TARGETS: [(&str, Target, u32); 7] = [
    ("cron", cron::cron, 3_000),
    ("cursor", cursor::cursor, 30_000),
    ("framer", framer::framer, 100_000),
    ("frames", frames::frames, 30_000),
    ("manifest", manifest::manifest, 3_000),
    ("template", template::template, 30_000),
    ("yaml", yaml::yaml, 30_000),
];

/// The target called `name`.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, ..)| *known == name).map(|(_, target, _)| *target)
}

#[cfg(test)]
mod tests {
    use super::TARGETS;

    /// A seeded generator of numbers (splitmix64): a run that fails can be run again.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }

    /// Runs the target `name` as often as it says, on inputs of up to 128 bytes.
    fn run(name: &str) {
        let (_, target, runs) = TARGETS.into_iter().find(|(known, ..)| *known == name).unwrap();
        let (mut random, mut input) = (Random(0x5eed), Vec::new());
        for _ in 0..runs {
            input.clear();
            let length = random.next() % 129;
            input.extend((0..length).map(|_| random.next().to_le_bytes()[0]));
            if let Err(panic) = std::panic::catch_unwind(|| target(&input)) {
                eprintln!("the input was {input:?}");
                std::panic::resume_unwind(panic);
            }
        }
    }

    #[test]
    fn a_cron_expression_is_refused_or_fires_ever_later() {
        run("cron");
    }

    #[test]
    fn a_cursor_is_refused_or_read_as_it_is_written() {
        run("cursor");
    }

    #[test]
    fn broken_lines_and_noise_panic_nowhere_and_cost_no_good_line() {
        run("framer");
    }

    #[test]
    fn a_broken_frame_is_refused() {
        run("frames");
    }

    #[test]
    fn a_broken_manifest_is_refused() {
        run("manifest");
    }

    #[test]
    fn a_template_is_refused_or_can_be_filled() {
        run("template");
    }

    #[test]
    fn a_configuration_is_refused_or_read_and_no_problem_of_it_shows_a_secret() {
        run("yaml");
    }
}
