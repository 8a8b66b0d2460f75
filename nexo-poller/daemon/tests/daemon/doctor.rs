//! `nexo-poller doctor`, on the quickstart's crate and on one that wants everything.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::home::{Home, Said};

fn doctor(folder: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nexo-poller"));
    command.arg("doctor").arg(folder).args(arguments).output().unwrap().into()
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}

#[test]
fn a_crate_in_order_passes_each_check_that_its_files_tell() {
    let said = doctor(&quickstart(), &["--no-test", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{said:?}"));
    assert_eq!(report["crate"], "quickstart");
    let weight = |check: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["check"] == check).unwrap()["weight"].clone()
    };
    for check in ["manifest", "conformance", "packed_files", "default_features"] {
        assert_eq!(weight(check), "ok", "{said:?}");
    }
}

#[test]
fn a_crate_that_wants_everything_is_told_each_with_its_fix() {
    let home = Home::with_jobs(&[]);
    home.write(
        "Cargo.toml",
        "[package]\nname = \"ill\"\nversion = \"0.1.0\"\nedition = \"2024\"\ninclude = [\"src/**\"]\n[workspace]\n\
         [features]\ndefault = [\"a\", \"b\", \"c\"]\na = []\nb = []\nc = []\n\
         [dependencies]\nnexo-poller = { git = \"https://example.org/nexo\", features = [\"runner\"] }\n",
    );
    home.write("README.md", "# ill\n");
    home.write("nexo-plugin.toml", "manifest_version = 2\n");
    home.write("src/main.rs", "fn main() {}\n");
    let said = doctor(home.path(), &["--no-test"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    for (what, fix) in [
        ("FAIL  Cargo.toml lacks description, repository, keywords, license", "license = \"MIT OR Apache-2.0\""),
        ("FAIL  the package leaves out nexo-plugin.toml", "add it to `include`"),
        ("FAIL  nexo-poller comes from a path or a repository", "nexo-poller = \"0.3\""),
        ("warn  3 features are on by default", "leave in `default`"),
        ("warn  no conformance test", "nexo_poller_testkit::conformance!"),
        ("FAIL  the plugin does not build", "cargo run --quiet --bin ill -- --print-manifest"),
    ] {
        let (_, after) = said.stdout.split_once(what).unwrap_or_else(|| panic!("{what} is not in {}", said.stdout));
        assert!(after.lines().nth(1).unwrap().contains(fix), "{what}: {after}");
    }
    assert!(said.stdout.trim_end().ends_with("stand between this crate and a good publication"), "{said:?}");
}

#[test]
fn what_is_packed_is_what_cargo_packs_however_it_is_written() {
    let home = Home::with_jobs(&[]);
    home.write("README.md", "# a\n");
    home.write("nexo-plugin.toml", "manifest_version = 2\n");
    home.write("src/main.rs", "fn main() {}\n");
    for (rule, packed) in [
        ("include = ['**/*.toml', 'src/**']", true),
        ("include = ['/nexo-plugin.*', 'src/**']", true),
        ("exclude = ['*.png']", true),
        ("exclude = ['nexo-*']", false),
    ] {
        home.write(
            "Cargo.toml",
            &format!(
                "[package]\nname = 'a'\nversion = '0.1.0'\nedition = '2024'\n{rule}\n[workspace]\n\
                 [dependencies]\nnexo-poller = {{ git = 'https://example.org/nexo' }}\n"
            ),
        );
        let said = doctor(home.path(), &["--no-test"]);
        assert_eq!(said.stdout.contains("what belongs to the plugin is packed"), packed, "{rule}: {said:?}");
    }
}

#[test]
fn where_there_is_no_poller_it_says_where_to_go() {
    let home = Home::with_jobs(&[]);
    let said = doctor(home.path(), &[]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("run this in a poller's crate"), "{said:?}");
}
