//! What a poller author pays: packages, build time, binary size, the wait between an edit and its effect, lines.
//!
//! ```text
//! cargo bench -p nexo-poller --bench author                     # all
//! NEXO_BENCH=short cargo bench -p nexo-poller --bench author    # without the release build
//! ```
//!
//! A fresh crate is made in a folder of its own, outside the workspace, as an author would make it: this tree as its one
//! framework dependency, its own lock file, its own target folder.

#![expect(clippy::unwrap_used, reason = "a bench that cannot measure stops")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// One poller with a config and a cursor.
const MAIN: &str = r#"
use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HelloConfig { name: String, deliver: Deliver }

/// Greets, and counts.
#[poller(kind = "hello", publish = ["plugin.outbound.>"])]
async fn hello(
    ctx: &PollContext,
    Config(config): Config<HelloConfig>,
    Cursor(count): Cursor<u32>,
) -> Result<TickAck, PollerError> {
    config.deliver.send(ctx, &format!("GREETING {}, number {}", config.name, count + 1)).await?;
    Ok(TickAck::with_cursor(&(count + 1))?.items(1, 1))
}
"#;

const CONFIG: &str = r#"{"name": "you", "deliver": {"channel": "console", "to": "you"}}"#;

fn main() {
    let short = std::env::var("NEXO_BENCH").is_ok_and(|value| value == "short");
    let author = Author::new();
    Figure { name: "packages", value: author.packages(), unit: "packages", limit: 75.0, note: "fresh-lock-file" }
        .print();
    for example in EXAMPLES {
        if let Some(lines) = example.lines() {
            Figure { name: example.figure, value: lines, unit: "lines", limit: example.limit, note: example.note }
                .print();
        }
    }
    if !short {
        let seconds = author.cold_release();
        Figure { name: "cold_release_s", value: seconds, unit: "s", limit: 30.0, note: "own-target-folder" }.print();
        let size = author.binary_mib();
        Figure { name: "binary_mib", value: size, unit: "MiB", limit: 2.5, note: "stripped-release" }.print();
    }
    let seconds = author.edit_to_output();
    Figure { name: "edit_to_output_s", value: seconds, unit: "s", limit: 3.0, note: "warm-edit-then-once" }.print();
}

struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    limit: f64,
    note: &'static str,
}

impl Figure {
    fn print(&self) {
        let Self { name, value, unit, limit, note } = self;
        let ratio = value / limit;
        let line =
            format!("figure author.{name} value={value:.2} unit={unit} limit={limit} ratio={ratio:.3} note={note}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

/// A crate of its own, as an author has it.
struct Author {
    folder: tempfile::TempDir,
}

impl Author {
    fn new() -> Self {
        let author = Self { folder: tempfile::TempDir::new().unwrap() };
        let manifest = format!(
            "[package]\nname = \"hello-poller\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             description = \"Greets.\"\n\n[dependencies]\nnexo-poller = {{ path = {:?} }}\n\
             schemars = {{ version = \"1\", default-features = false, features = [\"derive\", \"std\"] }}\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n\n[profile.release]\nstrip = true\n",
            env!("CARGO_MANIFEST_DIR")
        );
        fs::write(author.path("Cargo.toml"), manifest).unwrap();
        fs::create_dir(author.path("src")).unwrap();
        author.write("hello");
        // The versions that this tree was tested with, without the packages that an author does not need.
        fs::copy(root().join("Cargo.lock"), author.path("Cargo.lock")).unwrap();
        author.cargo(&["fetch"]);
        author
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    fn write(&self, greeting: &str) {
        fs::write(self.path("src/main.rs"), MAIN.replace("GREETING", greeting)).unwrap();
    }

    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).current_dir(self.folder.path()).env("CARGO_TARGET_DIR", self.path("target"));
        let output = cargo.output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "cargo {arguments:?} failed:\n{said}\n{complained}");
        said.into_owned()
    }

    fn packages(&self) -> f64 {
        let lock = fs::read_to_string(self.path("Cargo.lock")).unwrap();
        count(lock.matches("[[package]]").count())
    }

    fn cold_release(&self) -> f64 {
        timed(|| self.cargo(&["build", "--release"])).0
    }

    fn binary_mib(&self) -> f64 {
        let bytes = fs::metadata(self.path("target/release/hello-poller")).unwrap().len();
        count(usize::try_from(bytes).unwrap()) / (1024.0 * 1024.0)
    }

    /// From a changed word in the source to that word in the output, everything else being built.
    fn edit_to_output(&self) -> f64 {
        let once = ["run", "--quiet", "--", "once", "--config", CONFIG];
        self.cargo(&once);
        self.write("good morning");
        let (seconds, output) = timed(|| self.cargo(&once));
        assert!(output.contains("good morning you"), "the edit does not show in:\n{output}");
        seconds
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A poller in `examples/`, and how many lines of code it may have: the target, else what its published equivalent has.
struct Example {
    folder: &'static str,
    figure: &'static str,
    limit: f64,
    note: &'static str,
}

const EXAMPLES: [Example; 6] = [
    Example { folder: "rss", figure: "rss_lines", limit: 90.0, note: "published-334" },
    Example { folder: "gmail", figure: "gmail_lines", limit: 220.0, note: "published-518" },
    Example { folder: "google-calendar", figure: "google_calendar_lines", limit: 140.0, note: "published-344" },
    Example { folder: "jira", figure: "jira_lines", limit: 250.0, note: "nothing-published-to-compare" },
    Example { folder: "linear", figure: "linear_lines", limit: 250.0, note: "nothing-published-to-compare" },
    Example { folder: "stripe", figure: "stripe_lines", limit: 250.0, note: "nothing-published-to-compare" },
];

impl Example {
    /// Its code lines: no comments, no blanks, no tests.
    fn lines(&self) -> Option<f64> {
        let mut lines = 0;
        for entry in fs::read_dir(root().join("examples").join(self.folder).join("src")).ok()? {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name == "tests.rs" || name == "conformance.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            lines += code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        }
        Some(count(lines))
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let started = Instant::now();
    let result = work();
    (started.elapsed().as_secs_f64(), result)
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}
