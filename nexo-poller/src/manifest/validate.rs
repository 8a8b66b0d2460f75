use std::collections::BTreeSet;

use serde_json::Value;
use serde_path_to_error::Path;

use super::document::{Document, NotToml, position};
use super::{Manifest, ManifestError, ManifestProblem, PluginSection, PollerSection};
use crate::contract::reserved::{why_no_prefix, why_refused};
use crate::contract::{Pattern, Shown, check_kind, check_topic, topics};

const COMMAND: &str = "plugin.entrypoint.command";

impl Manifest {
    /// The largest text of a manifest, in bytes: 256 KiB.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// Parses and validates the text of a `nexo-plugin.toml`. `file` names it in errors.
    ///
    /// # Errors
    /// [`ManifestError`] with every rule that is broken.
    pub fn parse(text: &str, file: &str) -> Result<Self, ManifestError> {
        let refuse = |key, rule| ManifestError { file: file.to_owned(), problems: vec![ManifestProblem { key, rule }] };
        check_size(text).map_err(|rule| refuse(String::new(), rule))?;
        let not_toml = |error: NotToml| {
            refuse(String::new(), format!("{}not TOML: {}", position(text, error.offset), error.message))
        };
        let document = Document::parse(text).map_err(not_toml)?;
        let value = document.to_value().map_err(not_toml)?;
        // Once it is read, it looks like an entrypoint that is left out.
        let names_nothing = value.pointer("/plugin/entrypoint/command").and_then(Value::as_str) == Some("");
        let manifest: Self =
            read(value).map_err(|(key, rule, path)| refuse(key, format!("{}{rule}", document.place(&path))))?;
        let mut problems = manifest.problems();
        if names_nothing && manifest.plugin.entrypoint.is_absent() {
            problems.add(COMMAND, "must not be empty");
        }
        problems.none_in(file)?;
        Ok(manifest)
    }

    /// Reads the `{"manifest": {"plugin": {…}}, …}` that a plugin answers in the handshake, and validates it.
    ///
    /// # Errors
    /// [`ManifestError`] with every rule that is broken.
    pub fn from_handshake(json: &str, file: &str) -> Result<Self, ManifestError> {
        let refuse = |key, rule| ManifestError { file: file.to_owned(), problems: vec![ManifestProblem { key, rule }] };
        check_size(json).map_err(|rule| refuse(String::new(), rule))?;
        let mut answer: Value = serde_json::from_str(json).map_err(|error| refuse(String::new(), error.to_string()))?;
        let manifest = answer.get_mut("manifest").map(Value::take);
        let mut manifest = manifest.ok_or_else(|| refuse(String::new(), "missing field `manifest`".to_owned()))?;
        if let Some(fields) = manifest.as_object_mut() {
            // A handshake tells the plugin's part alone.
            fields.insert("manifest_version".to_owned(), 2.into());
        }
        let manifest: Self = read(manifest).map_err(|(key, rule, _)| {
            let key = if key.is_empty() { "manifest".to_owned() } else { format!("manifest.{key}") };
            refuse(key, rule)
        })?;
        manifest.check(file)?;
        Ok(manifest)
    }

    /// Checks every rule of the protocol.
    ///
    /// # Errors
    /// [`ManifestError`] with every rule that is broken.
    pub fn check(&self, file: &str) -> Result<(), ManifestError> {
        self.problems().none_in(file)
    }

    fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        if self.manifest_version != 2 {
            problems.add("manifest_version", format!("must be 2, found {}", self.manifest_version));
        }
        self.plugin.check(&mut problems);
        if let Some(poller) = &self.plugin.poller {
            poller.check(&mut problems);
        }
        problems
    }

    /// The manifest as TOML, as `--print-manifest` writes it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "an invariant of the type")]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a manifest holds strings, numbers and tables with string keys: all of it is TOML")
    }
}

/// A manifest is a page of text; what it makes of each of its lines is far more than the line.
fn check_size(text: &str) -> Result<(), String> {
    match text.len() {
        size if size > Manifest::MAX_BYTES => {
            Err(format!("it has more than {} bytes, the most that a manifest may have", Manifest::MAX_BYTES))
        }
        _ => Ok(()),
    }
}

/// A manifest of any origin; else the key, what is wrong there, and its path.
fn read(value: Value) -> Result<Manifest, (String, String, Path)> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().clone();
        let key = path.to_string();
        (if key == "." { String::new() } else { key }, error.inner().to_string(), path)
    })
}

/// Problems of a manifest that are told.
const MOST_PROBLEMS: usize = 20;

#[derive(Default)]
struct Problems(Vec<ManifestProblem>);

impl Problems {
    fn add(&mut self, key: impl Into<String>, rule: impl Into<String>) {
        if self.0.len() == MOST_PROBLEMS {
            return;
        }
        self.0.push(ManifestProblem { key: key.into(), rule: rule.into() });
    }

    fn none_in(self, file: &str) -> Result<(), ManifestError> {
        if self.0.is_empty() { Ok(()) } else { Err(ManifestError { file: file.to_owned(), problems: self.0 }) }
    }
}

impl PluginSection {
    fn check(&self, problems: &mut Problems) {
        if !is_plugin_id(&self.id) {
            problems.add(
                "plugin.id",
                format!("must be 1 to 64 of a-z, 0-9 and _, the first a letter; found `{}`", self.id),
            );
        }
        if topics::NO_PLUGIN_IDS.contains(&self.id.as_str()) {
            problems.add("plugin.id", format!("must not be `{}`: topics of that name are the daemon's", self.id));
        }
        if let Err(error) = semver::Version::parse(&self.version) {
            problems.add("plugin.version", format!("must be a semver version ({error}); found `{}`", self.version));
        }
        if let Some(required) = &self.min_nexo_version
            && let Err(error) = semver::VersionReq::parse(required)
        {
            problems.add(
                "plugin.min_nexo_version",
                format!("must be a semver requirement such as `>=0.2.0` ({error}); found `{required}`"),
            );
        }
        if self.name.trim().is_empty() {
            problems.add("plugin.name", "must not be empty");
        }
        self.check_entrypoint(problems);
        let broker = &self.capabilities.broker;
        for (list, patterns) in [("subscribe", &broker.subscribe), ("publish", &broker.publish)] {
            for (index, pattern) in patterns.iter().enumerate() {
                let refused = match pattern.parse::<Pattern>() {
                    Err(error) => Some(error.to_string()),
                    // Whose calls are whose can be said of a plugin only that has a name.
                    Ok(_) if !is_plugin_id(&self.id) => None,
                    Ok(pattern) => why_refused(&self.id, pattern.as_str())
                        .map(|why| format!("no plugin can have `{pattern}`: {why}; take it out")),
                };
                if let Some(refused) = refused {
                    problems.add(format!("plugin.capabilities.broker.{list}[{index}]"), refused);
                }
            }
        }
    }

    fn check_entrypoint(&self, problems: &mut Problems) {
        let command = &self.entrypoint.command;
        if self.entrypoint.is_absent() {
            // Somebody else starts it, or it is found by its name.
        } else if command.trim().is_empty() {
            problems.add(COMMAND, "must not be empty");
        } else if command.contains('/') && !command.starts_with('/') {
            problems.add(COMMAND, format!("must be a name on the PATH or an absolute path; found `{command}`"));
        } else if command.split('/').any(|part| part == "..") {
            problems.add(COMMAND, format!("must not have `..` in it; found `{command}`"));
        }
        for key in self.entrypoint.env.keys() {
            if key.starts_with("NEXO_") {
                problems
                    .add(format!("plugin.entrypoint.env.{key}"), "names that begin with NEXO_ are the daemon's own");
            }
        }
    }
}

impl PollerSection {
    /// The most kinds that one plugin may serve.
    pub const MAX_KINDS: usize = 1_000;

    /// The longest name of a kind.
    pub const MAX_KIND_BYTES: usize = 64;

    fn check(&self, problems: &mut Problems) {
        if self.kinds.is_empty() {
            problems.add("plugin.poller.kinds", "must name at least one kind");
        }
        if self.kinds.len() > Self::MAX_KINDS {
            let (found, most) = (self.kinds.len(), Self::MAX_KINDS);
            problems.add("plugin.poller.kinds", format!("must name at most {most} kinds; found {found}"));
        }
        let mut seen = BTreeSet::new();
        for (index, kind) in self.kinds.iter().enumerate() {
            let key = || format!("plugin.poller.kinds[{index}]");
            if let Err(error) = check_kind(kind) {
                problems.add(key(), error.to_string());
            }
            if kind.len() > Self::MAX_KIND_BYTES {
                let (most, found) = (Self::MAX_KIND_BYTES, kind.len());
                problems.add(key(), format!("must have at most {most} characters; found {found}"));
            }
            if !seen.insert(kind) {
                problems.add(key(), format!("`{kind}` is listed twice"));
            }
        }
        let prefix = &self.broker_topic_prefix;
        let fault = match prefix {
            prefix if prefix.is_empty() => Some("must not be empty"),
            prefix if prefix.ends_with('.') => Some("must not end with a dot"),
            prefix if prefix.contains(char::is_whitespace) => Some("must not contain spaces"),
            prefix if prefix.contains(['*', '>']) => Some("must not contain wildcards"),
            prefix if prefix.split('.').any(str::is_empty) => Some("must not contain an empty segment"),
            prefix => why_no_prefix(prefix),
        };
        if let Some(fault) = fault {
            problems.add("plugin.poller.broker_topic_prefix", format!("{fault}; found `{}`", Shown(prefix)));
        } else if let Err(error) = check_topic(&self.tick_topic()) {
            problems.add("plugin.poller.broker_topic_prefix", error.to_string());
        }
        for (key, value, most) in [
            ("plugin.poller.max_concurrent_ticks", self.max_concurrent_ticks, 64),
            ("plugin.poller.tick_timeout_secs", self.tick_timeout_secs, 3600),
        ] {
            if !(1..=most).contains(&value) {
                problems.add(key, format!("must be 1 to {most}; found {value}"));
            }
        }
    }
}

fn is_plugin_id(id: &str) -> bool {
    id.len() <= 64
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
