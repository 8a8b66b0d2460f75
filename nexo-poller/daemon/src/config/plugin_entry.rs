use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::keys::{plugin as key, settings};
use crate::config::yaml::{Node, Place, References, Sink, Table, Yaml};

/// One entry of `plugins`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PluginEntry {
    /// A binary, or a directory with plugins.
    pub(crate) path: PathBuf,
    /// What the environment of their processes holds besides what every plugin sees.
    pub(crate) env: BTreeMap<String, String>,
}

impl PluginEntry {
    /// What stands under `plugins`: a path, an entry that says more, or a list of either.
    pub(super) fn read_all(table: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Vec<Self> {
        let Some((key, node)) = settings::PLUGINS.take(table) else { return Vec::new() };
        match &node.value {
            Yaml::List(items) => {
                items.iter().filter_map(|item| Self::read(item, Place::item(item.at), dir, sink)).collect()
            }
            _ => Self::read(node, Place::value(key, node.at), dir, sink).into_iter().collect(),
        }
    }

    /// Takes away what `env` of the entries in the file `root` refers to and is not there: a command that only looks for the daemon
    /// has another environment than it.
    pub(super) fn forget_unset(root: &mut Node, references: &References<'_>) {
        let Some(plugins) = below(root, "pollers").and_then(|pollers| below(pollers, settings::PLUGINS.name)) else {
            return;
        };
        let entries = match &mut plugins.value {
            Yaml::List(items) => items.as_mut_slice(),
            _ => std::slice::from_mut(plugins),
        };
        for env in entries.iter_mut().filter_map(|entry| below(entry, key::ENV.name)) {
            let Yaml::Map(fields) = &mut env.value else { continue };
            fields.retain(|(_, value)| {
                let Yaml::Text(text) = &value.value else { return true };
                let mut sink = Sink { file: "", job: None, problems: Vec::new() };
                references.resolve(&mut Node { at: value.at, value: Yaml::Text(text.clone()) }, &mut sink);
                sink.problems.is_empty()
            });
        }
    }

    fn read(node: &Node, place: Place, dir: &Path, sink: &mut Sink<'_>) -> Option<Self> {
        match &node.value {
            Yaml::Text(path) if !path.trim().is_empty() => Some(Self { path: dir.join(path), env: BTreeMap::new() }),
            Yaml::Map(_) => {
                let mut entry = Table::open("an entry of `plugins`", place, node, sink)?;
                let path = key::PATH.read(&mut entry, sink);
                let env = read_env(&mut entry, sink);
                entry.finish(sink);
                Some(Self { path: dir.join(path?.0), env })
            }
            other => {
                let message =
                    format!("an entry of `plugins` must be a path, or `{{ path: …, env: … }}`, found {}", other.noun());
                sink.add(place, message);
                None
            }
        }
    }
}

fn below<'n>(node: &'n mut Node, name: &str) -> Option<&'n mut Node> {
    let Yaml::Map(fields) = &mut node.value else { return None };
    fields.iter_mut().find(|(key, _)| key.name == name).map(|(_, value)| value)
}

fn read_env(entry: &mut Table<'_>, sink: &mut Sink<'_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    let Some((key, node)) = key::ENV.take(entry) else { return env };
    let Yaml::Map(fields) = &node.value else {
        let message = format!("`env` must be a mapping (`NAME: value` lines), found {}", node.value.noun());
        sink.add(Place::value(key, node.at), message);
        return env;
    };
    for (name, value) in fields {
        let place = Place::value(name, value.at);
        if let Some(why) = why_no_name(&name.name) {
            sink.add(Place::key(name), format!("`{}` in `env` cannot be a variable's name: {why}", name.name));
        }
        match &value.value {
            Yaml::Text(text) if text.contains('\0') => {
                sink.add(place, format!("`{}` in `env` holds a NUL character, which no variable can", name.name));
            }
            Yaml::Text(_) if env.contains_key(&name.name) => {
                sink.add(Place::key(name), format!("`{}` stands twice in `env`", name.name));
            }
            Yaml::Text(text) => {
                env.insert(name.name.clone(), text.clone());
            }
            other => {
                let message =
                    format!("`{}` in `env` must be text, found {}; put it in quotes", name.name, other.noun());
                sink.add(place, message);
            }
        }
    }
    env
}

fn why_no_name(name: &str) -> Option<&'static str> {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
        return Some("names are made of letters, digits and `_`, and do not begin with a digit");
    }
    name.starts_with("NEXO_").then_some("what begins with NEXO_ is said by the daemon")
}

/// Shows no value: most are secrets.
impl fmt::Debug for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.env.keys().collect();
        f.debug_struct("PluginEntry").field("path", &self.path).field("env", &names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PollersFile;

    #[test]
    fn an_entry_is_a_path_or_says_what_its_plugins_are_given_and_each_mistake_has_its_sentence() {
        let text = "pollers:\n  plugins: [ a, { path: b, env: { A: x, B_1: '$${tracker.token}' } } ]\n";
        let file = PollersFile::parse(text, Path::new("/etc/nexo/pollers.yaml")).unwrap();
        let [a, b] = &file.settings.plugins[..] else { panic!("{:?}", file.settings.plugins) };
        assert_eq!((a.path.as_path(), a.env.len()), (Path::new("/etc/nexo/a"), 0));
        assert_eq!(
            b.env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
            ["A=x", "B_1=$${tracker.token}"]
        );
        assert!(!format!("{b:?}").contains("tracker"), "{b:?}");
        for (entry, sentence) in [
            ("{ env: { A: x } }", "an entry of `plugins` lacks `path`"),
            ("{ path: b, env: [ A ] }", "`env` must be a mapping (`NAME: value` lines), found a list"),
            ("{ path: b, env: { A: 7 } }", "`A` in `env` must be text, found a number; put it in quotes"),
            ("{ path: b, env: { A: x, A: y } }", "`A` stands twice in `env`"),
            ("{ path: b, env: { A-B: x } }", "`A-B` in `env` cannot be a variable's name: names are made of letters"),
            (
                "{ path: b, env: { NEXO_X: x } }",
                "`NEXO_X` in `env` cannot be a variable's name: what begins with NEXO_",
            ),
            ("{ path: b, env: { A: \"x\\0\" } }", "`A` in `env` holds a NUL character"),
            ("7", "an entry of `plugins` must be a path, or `{ path: …, env: … }`, found a number"),
        ] {
            let text = format!("pollers:\n  plugins: [ {entry} ]\n");
            let refused = PollersFile::parse(&text, Path::new("pollers.yaml")).unwrap_err().to_string();
            assert!(refused.contains(sentence), "{refused}");
        }
    }

    #[test]
    fn a_command_that_looks_for_the_daemon_needs_no_variable_that_the_daemon_hands_on() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "pollers:\n  plugins: { path: b, env: { A: '${NOBODY_HAS_SET_THIS}', B: x } }\n";
        std::fs::write(file.path(), text).unwrap();
        assert!(PollersFile::load(file.path()).is_err());
        let settings = PollersFile::settings_of(file.path()).unwrap();
        assert_eq!(settings.plugins[0].env.keys().collect::<Vec<_>>(), ["B"]);
    }
}
