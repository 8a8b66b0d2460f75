use std::collections::BTreeSet;
use std::path::Path;

use nexo_poller::contract::matches;
use nexo_poller::manifest::{Manifest, PluginGrants, PluginRights};
use nexo_poller::wire::topics;

use super::cargo::cargo;
use super::finding::Finding;
use crate::core::terminal::line_to_stderr;

/// The testkit's mocked host adds each topic that is published to the file of this name.
const TOPICS: &str = "NEXO_PUBLISHED_TOPICS";

/// Builds the plugin, compares its manifest, and, where `test` says so, runs its tests.
pub(super) async fn check(folder: &Path, bin: &str, test: bool) -> Vec<Finding> {
    line_to_stderr("building the plugin …");
    let printed = match cargo(folder, &["run", "--quiet", "--bin", bin, "--", "--print-manifest"], None).await {
        Ok(printed) => printed,
        Err(error) => {
            let what = "the plugin does not build, or does not print its manifest";
            return vec![Finding::fail("manifest", what, error.to_string())];
        }
    };
    let mut findings = vec![manifest(folder, &printed)];
    let Ok(manifest) = Manifest::parse(&printed, "--print-manifest") else { return findings };
    findings.push(wishes(&manifest));
    if test {
        line_to_stderr("running its tests …");
        findings.push(allowlist(folder, &manifest).await);
    }
    findings
}

/// What the manifest asks for and a daemon does not give by itself.
fn wishes(manifest: &Manifest) -> Finding {
    const CHECK: &str = "rights";
    let rights = PluginRights::of(&manifest.plugin, &PluginGrants::default());
    let withheld: Vec<String> = rights.withheld().iter().map(ToString::to_string).collect();
    if withheld.is_empty() {
        return Finding::ok(CHECK, "daemons give it all that its manifest asks for");
    }
    let id = &manifest.plugin.id;
    Finding::warn(
        CHECK,
        format!("it asks to {}", withheld.join("; to ")),
        format!("take it out, or say in the README what operators have to write: `allow: {{ {id}: {{ … }} }}`"),
    )
}

fn manifest(folder: &Path, printed: &str) -> Finding {
    const CHECK: &str = "manifest";
    if let Err(error) = Manifest::parse(printed, "--print-manifest") {
        return Finding::fail(
            CHECK,
            format!("the manifest breaks a rule: {error}"),
            "change the attribute that it names",
        );
    }
    let fix = "`NEXO_UPDATE=1 cargo test manifest`, or `cargo run -- --print-manifest > nexo-plugin.toml`";
    match std::fs::read_to_string(folder.join("nexo-plugin.toml")) {
        Ok(committed) if committed == printed => Finding::ok(CHECK, "nexo-plugin.toml is what the binary prints"),
        Ok(_) => Finding::fail(CHECK, "nexo-plugin.toml is not what the binary prints", fix),
        Err(error) => Finding::fail(CHECK, format!("nexo-plugin.toml: {error}"), fix),
    }
}

/// Topics that the manifest allows and no test publishes on.
async fn allowlist(folder: &Path, manifest: &Manifest) -> Finding {
    const CHECK: &str = "allowlist";
    // In a folder of our own: under a name that others can guess, somebody else may have put a link.
    let ours = match tempfile::tempdir() {
        Ok(ours) => ours,
        Err(error) => return Finding::fail(CHECK, "no temporary folder can be made", error.to_string()),
    };
    let file = ours.path().join("topics");
    let tested = cargo(folder, &["test", "--quiet"], Some((TOPICS, &file))).await;
    let topics = std::fs::read_to_string(&file).unwrap_or_default();
    if let Err(error) = tested {
        return Finding::fail("tests", "its tests fail", error.to_string());
    }
    let topics: BTreeSet<&str> = topics.lines().collect();
    let own = topics::calls(&manifest.plugin.id);
    let unused: Vec<String> = manifest
        .plugin
        .capabilities
        .broker
        .publish
        .iter()
        .filter(|pattern| **pattern != own && !topics::is_inbox(pattern))
        .filter(|pattern| !topics.iter().any(|topic| matches(pattern, topic)))
        .map(|pattern| format!("`{pattern}`"))
        .collect();
    if unused.is_empty() {
        return Finding::ok(CHECK, "its tests publish on everything that the manifest allows");
    }
    let what = format!("the manifest allows {}, and no test publishes there", unused.join(", "));
    Finding::warn(CHECK, what, "take it out of `publish = […]` of #[poller], or test it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Weight;

    #[test]
    fn an_author_learns_what_operators_have_to_allow() {
        let manifest = |publish: &str| {
            let text = format!(
                "manifest_version = 2\n[plugin]\nid = 'a'\nversion = '0.1.0'\nname = 'A'\n[plugin.entrypoint]\ncommand = 'a'\n\
                 [plugin.capabilities.broker]\npublish = ['{publish}']\n"
            );
            Manifest::parse(&text, "test").unwrap()
        };
        assert!(wishes(&manifest("plugin.outbound.>")).weight == Weight::Ok);
        let said = wishes(&manifest("news.>"));
        assert!(said.weight == Weight::Warn && said.to_string().contains("`allow: { a: { … } }`"), "{said}");
    }
}
