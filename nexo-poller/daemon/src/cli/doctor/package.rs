use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::cargo::{CargoError, cargo};
use super::finding::Finding;

/// Features of ours that a daemon needs, and no poller.
const DAEMONS_FEATURES: [&str; 7] = ["runner", "sqlite", "jetstream", "router", "builtins", "llm", "unstable"];
/// More features than these in `default` are paid for by everybody who builds the crate.
const MOST_DEFAULTS: usize = 2;

/// The crate, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    manifest_path: PathBuf,
    description: Option<String>,
    repository: Option<String>,
    license: Option<String>,
    license_file: Option<String>,
    /// Also where Cargo finds one by itself.
    readme: Option<String>,
    keywords: Vec<String>,
    features: BTreeMap<String, Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or none.
    kind: Option<String>,
    /// None where it comes from a path.
    source: Option<String>,
    /// The version, `*` where none is named.
    req: String,
    features: Vec<String>,
}

/// What `cargo metadata` writes, as far as it is read here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPoller {
    #[error(transparent)]
    Cargo(#[from] CargoError),
    #[error("what `cargo metadata` writes is not understood: {0}")]
    Metadata(#[from] serde_json::Error),
    #[error("it does not depend on nexo-poller")]
    Another,
}

impl Package {
    /// The crate in `folder`.
    pub(super) async fn of(folder: &Path) -> Result<Self, NoPoller> {
        // With the path: Cargo would look for another Cargo.toml further up.
        let arguments = ["metadata", "--no-deps", "--format-version", "1", "--manifest-path", "Cargo.toml"];
        let metadata: Metadata = serde_json::from_str(&cargo(folder, &arguments, None).await?)?;
        let canonical = |path: &Path| std::fs::canonicalize(path).ok();
        let here = canonical(&folder.join("Cargo.toml"));
        // Of a workspace, all its crates are there.
        let package = metadata.packages.into_iter().find(|package| canonical(&package.manifest_path) == here);
        package.filter(|package| package.dependency().is_some()).ok_or(NoPoller::Another)
    }

    fn dependency(&self) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.name == "nexo-poller" && dependency.kind.is_none())
    }
}

/// What the crate says of itself.
pub(super) fn check(package: &Package) -> Vec<Finding> {
    vec![metadata(package), dependency(package), defaults(package)]
}

fn metadata(package: &Package) -> Finding {
    const CHECK: &str = "metadata";
    let missing: Vec<&str> = [
        ("description", package.description.is_some()),
        ("repository", package.repository.is_some()),
        ("keywords", !package.keywords.is_empty()),
        ("license", package.license.is_some() || package.license_file.is_some()),
        ("readme", package.readme.is_some()),
    ]
    .into_iter()
    .filter_map(|(key, is_there)| (!is_there).then_some(key))
    .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, "Cargo.toml says what crates.io shows");
    }
    let lines: Vec<String> = missing.iter().map(|key| example(key).to_owned()).collect();
    let what = format!("Cargo.toml lacks {}", missing.join(", "));
    let fix = format!("under [package]: {}", lines.join(", "));
    // crates.io refuses a crate without these two.
    if missing.contains(&"description") || missing.contains(&"license") {
        Finding::fail(CHECK, what, fix)
    } else {
        Finding::warn(CHECK, what, fix)
    }
}

fn example(key: &str) -> &'static str {
    match key {
        "description" => r#"description = "Announces new issues of a Jira project.""#,
        "repository" => r#"repository = "https://github.com/you/jira-poller""#,
        "keywords" => r#"keywords = ["nexo", "poller"]"#,
        "license" => r#"license = "MIT OR Apache-2.0""#,
        _ => "a README.md beside it",
    }
}

/// Whether the files that belong to the plugin are published with it.
pub(super) async fn packed(folder: &Path) -> Finding {
    const CHECK: &str = "packed_files";
    let listed = match cargo(folder, &["package", "--list", "--allow-dirty", "--quiet"], None).await {
        Ok(listed) => listed,
        Err(error) => return Finding::fail(CHECK, "the crate cannot be packed", error.to_string()),
    };
    let missing: Vec<&str> = ["nexo-plugin.toml", "README.md"]
        .into_iter()
        .filter(|file| folder.join(file).is_file() && !listed.lines().any(|listed| listed == *file))
        .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, "what belongs to the plugin is packed");
    }
    let what = format!("the package leaves out {}", missing.join(" and "));
    Finding::fail(
        CHECK,
        what,
        "add it to `include`, or take it out of `exclude`: whoever installs the crate needs it beside the binary",
    )
}

fn dependency(package: &Package) -> Finding {
    const CHECK: &str = "features_of_nexo_poller";
    let dependency = package.dependency();
    let features = dependency.into_iter().flat_map(|dependency| &dependency.features);
    let heavy: Vec<&str> = features.map(String::as_str).filter(|f| DAEMONS_FEATURES.contains(f)).collect();
    let elsewhere = dependency.is_some_and(|dependency| match &dependency.source {
        Some(source) => source.starts_with("git+"),
        None => dependency.req == "*",
    });
    if elsewhere {
        let what = "nexo-poller comes from a path or a repository, which crates.io refuses";
        return Finding::fail(CHECK, what, r#"nexo-poller = "0.3""#);
    }
    if heavy.is_empty() {
        return Finding::ok(CHECK, "nexo-poller comes with what a poller needs");
    }
    let what = format!(
        "the features {} of nexo-poller are for daemons: everybody who builds the crate pays for them",
        heavy.join(", ")
    );
    Finding::warn(CHECK, what, "take them out of [dependencies]")
}

fn defaults(package: &Package) -> Finding {
    const CHECK: &str = "default_features";
    let count = package.features.get("default").map_or(0, Vec::len);
    if count <= MOST_DEFAULTS {
        return Finding::ok(CHECK, "few features are on by default");
    }
    let what = format!("{count} features are on by default");
    Finding::warn(CHECK, what, "leave in `default` what nearly everybody wants")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::doctor::finding::Weight;

    /// A crate that says nothing of itself, with these fields besides.
    fn package(more: &Value) -> Package {
        let mut fields = json!({
            "name": "a", "version": "1.0.0", "manifest_path": "/a/Cargo.toml", "description": null, "repository": null,
            "license": null, "license_file": null, "readme": "README.md", "keywords": [], "features": {},
            "dependencies": [dependency("registry+https://github.com/rust-lang/crates.io-index", &[])],
        });
        for (key, value) in more.as_object().unwrap() {
            fields[key] = value.clone();
        }
        serde_json::from_value(fields).unwrap()
    }

    fn dependency(source: &str, features: &[&str]) -> Value {
        json!({"name": "nexo-poller", "kind": null, "source": source, "req": "^0.3", "features": features})
    }

    fn weight(check: &str, more: &Value) -> Weight {
        super::check(&package(more)).into_iter().find(|finding| finding.check == check).unwrap().weight
    }

    #[test]
    fn only_a_crate_that_depends_on_nexo_poller_is_looked_at() {
        assert!(package(&json!({})).dependency().is_some());
        assert!(package(&json!({"dependencies": []})).dependency().is_none());
        let mut for_tests = dependency("registry+x", &[]);
        for_tests["kind"] = json!("dev");
        assert!(package(&json!({"dependencies": [for_tests]})).dependency().is_none());
    }

    #[test]
    fn what_crates_io_refuses_fails_and_the_rest_is_a_warning() {
        assert_eq!(weight("metadata", &json!({})), Weight::Fail);
        let licensed = json!({"description": "d", "license": "MIT"});
        assert_eq!(weight("metadata", &licensed), Weight::Warn);
        let mut by_path = dependency("", &[]);
        by_path["source"] = Value::Null;
        assert_eq!(weight("features_of_nexo_poller", &json!({"dependencies": [by_path]})), Weight::Ok);
        by_path["req"] = json!("*");
        assert_eq!(weight("features_of_nexo_poller", &json!({"dependencies": [by_path]})), Weight::Fail);
        let git = json!({"dependencies": [dependency("git+https://example.org", &[])]});
        assert_eq!(weight("features_of_nexo_poller", &git), Weight::Fail);
        let heavy = json!({"dependencies": [dependency("registry+x", &["runner"])]});
        assert_eq!(weight("features_of_nexo_poller", &heavy), Weight::Warn);
        let many = json!({"features": {"default": ["a", "b", "c"]}});
        assert_eq!(weight("default_features", &many), Weight::Warn);
    }
}
