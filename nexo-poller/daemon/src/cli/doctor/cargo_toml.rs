use std::path::Path;

use toml::{Table, Value};

use super::finding::Finding;

/// Features of ours that a daemon needs, and no poller.
const DAEMONS_FEATURES: [&str; 7] = ["runner", "sqlite", "jetstream", "router", "builtins", "llm", "unstable"];
/// More features than these in `default` are paid for by everybody who builds the crate.
const MOST_DEFAULTS: usize = 2;

/// Who the crate is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
}

impl Package {
    /// The crate of a `Cargo.toml`; none where it is not one that depends on nexo-poller.
    pub(super) fn of(table: &Table) -> Option<Self> {
        table.get("dependencies")?.get("nexo-poller")?;
        let package = table.get("package")?;
        let name = package.get("name")?.as_str()?.to_owned();
        // One that is inherited from a workspace is no text here.
        let version = package.get("version").and_then(Value::as_str).unwrap_or("(of the workspace)").to_owned();
        Some(Self { name, version })
    }
}

/// What the crate says of itself.
pub(super) fn judge(table: &Table, folder: &Path) -> Vec<Finding> {
    vec![metadata(table, folder), packed(table, folder), dependency(table), defaults(table)]
}

fn metadata(table: &Table, folder: &Path) -> Finding {
    const CHECK: &str = "metadata";
    let package = table.get("package");
    let has = |key: &str| package.and_then(|package| package.get(key)).is_some();
    let mut missing: Vec<&str> =
        ["description", "repository", "keywords"].into_iter().filter(|key| !has(key)).collect();
    if !has("license") && !has("license-file") {
        missing.push("license");
    }
    if !has("readme") && !folder.join("README.md").is_file() {
        missing.push("readme");
    }
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

fn packed(table: &Table, folder: &Path) -> Finding {
    const CHECK: &str = "packed_files";
    let package = table.get("package");
    let include = package.and_then(|package| package.get("include")).and_then(Value::as_array);
    let patterns: Vec<&str> = include.into_iter().flatten().filter_map(Value::as_str).collect();
    let missing: Vec<&str> = ["nexo-plugin.toml", "README.md"]
        .into_iter()
        .filter(|file| folder.join(file).is_file())
        .filter(|file| include.is_some() && !patterns.iter().any(|pattern| pattern.trim_start_matches('/') == *file))
        .collect();
    if missing.is_empty() {
        return Finding::ok(CHECK, "what belongs to the plugin is packed");
    }
    let what = format!("`include` leaves out {}", missing.join(" and "));
    Finding::fail(CHECK, what, "add it to `include`: whoever installs the crate needs it beside the binary")
}

fn dependency(table: &Table) -> Finding {
    const CHECK: &str = "features_of_nexo_poller";
    let dependency = table.get("dependencies").and_then(|dependencies| dependencies.get("nexo-poller"));
    let features = dependency.and_then(|dependency| dependency.get("features")).and_then(Value::as_array);
    let heavy: Vec<&str> =
        features.into_iter().flatten().filter_map(Value::as_str).filter(|f| DAEMONS_FEATURES.contains(f)).collect();
    let elsewhere = dependency.is_some_and(|dependency| {
        dependency.get("git").is_some() || (dependency.get("path").is_some() && dependency.get("version").is_none())
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

fn defaults(table: &Table) -> Finding {
    const CHECK: &str = "default_features";
    let defaults = table.get("features").and_then(|features| features.get("default")).and_then(Value::as_array);
    let count = defaults.map_or(0, Vec::len);
    if count <= MOST_DEFAULTS {
        return Finding::ok(CHECK, "few features are on by default");
    }
    let what = format!("{count} features are on by default");
    Finding::warn(CHECK, what, "leave in `default` what nearly everybody wants")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Weight;

    fn table(text: &str) -> Table {
        toml::from_str(text).unwrap()
    }

    fn weights(text: &str) -> Vec<(&'static str, Weight)> {
        judge(&table(text), Path::new("/nonexistent")).iter().map(|finding| (finding.check, finding.weight)).collect()
    }

    #[test]
    fn only_a_crate_that_depends_on_nexo_poller_is_looked_at() {
        let own = "[package]\nname = \"a\"\nversion = \"1.0.0\"\n[dependencies]\nnexo-poller = \"0.3\"\n";
        assert_eq!(Package::of(&table(own)), Some(Package { name: "a".into(), version: "1.0.0".into() }));
        assert_eq!(Package::of(&table("[package]\nname = \"a\"\n[dependencies]\nserde = \"1\"\n")), None);
        assert_eq!(Package::of(&table("[workspace]\n")), None);
    }

    #[test]
    fn what_crates_io_refuses_fails_and_the_rest_is_a_warning() {
        let found = weights("[package]\nname = \"a\"\nreadme = \"R\"\n");
        assert_eq!(found[0], ("metadata", Weight::Fail));
        let found = weights("[package]\nname = \"a\"\nreadme = \"R\"\ndescription = \"d\"\nlicense = \"MIT\"\n");
        assert_eq!(found[0], ("metadata", Weight::Warn));
        let git = "[package]\nname = \"a\"\n[dependencies]\nnexo-poller = { git = \"https://example.org\" }\n";
        assert_eq!(weights(git)[2], ("features_of_nexo_poller", Weight::Fail));
        let heavy =
            "[package]\nname = \"a\"\n[dependencies]\nnexo-poller = { version = \"0.3\", features = [\"runner\"] }\n";
        assert_eq!(weights(heavy)[2], ("features_of_nexo_poller", Weight::Warn));
        let many = "[package]\nname = \"a\"\n[features]\ndefault = [\"a\", \"b\", \"c\"]\n";
        assert_eq!(weights(many)[3], ("default_features", Weight::Warn));
    }
}
