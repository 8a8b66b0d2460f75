use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::finding::Finding;

/// Whether the conformance line is there, in the sources or the tests.
pub(super) fn conformance(folder: &Path) -> Finding {
    const CHECK: &str = "conformance";
    let mut folders = vec![folder.join("src"), folder.join("tests")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if holds_the_line(&path) {
                return Finding::ok(CHECK, "the conformance suite holds the poller to what daemons rely on");
            }
        }
    }
    let fix = "add `nexo_poller_testkit::conformance!(…)` to its tests; see the testkit's guide";
    Finding::warn(CHECK, "no conformance test", fix)
}

fn holds_the_line(path: &PathBuf) -> bool {
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    is_rust && std::fs::read_to_string(path).is_ok_and(|text| text.contains("conformance!("))
}

/// Whether something has changed since the last tag without a new version.
pub(super) async fn version(folder: &Path, version: &str) -> Finding {
    const CHECK: &str = "version";
    let Some(tag) = git(folder, &["describe", "--tags", "--abbrev=0"]).await else {
        return Finding::ok(CHECK, format!("{version} is the first version: there is no tag yet"));
    };
    if tag.trim_start_matches('v') != version {
        return Finding::ok(CHECK, format!("{version} is not what the last tag, {tag}, has published"));
    }
    let range = format!("{tag}..HEAD");
    let changed = git(folder, &["log", "--oneline", &range, "--", "."]).await.unwrap_or_default();
    let dirty = git(folder, &["status", "--porcelain", "--", "."]).await.unwrap_or_default();
    if changed.is_empty() && dirty.is_empty() {
        return Finding::ok(CHECK, format!("nothing has changed since {tag}"));
    }
    let what = format!("something has changed since {tag}, and the version is still {version}");
    Finding::fail(
        CHECK,
        what,
        "raise `version` in Cargo.toml, say why in CHANGELOG.md, and write nexo-plugin.toml again",
    )
}

/// What git says; none where it says nothing or is not there.
async fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(folder).output().await.ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    output.status.success().then_some(said)
}
