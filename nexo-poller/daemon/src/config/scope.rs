use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use nexo_poller::unstable::read_opened;

use crate::config::keys::include as key;
use crate::config::own::Own;
use crate::config::private_file::{self, must_be_closed};
use crate::config::resolved::{is_of_the_system, open_resolved};
use crate::config::yaml::{Kept, NotGiven, Place, Sink, Table};

/// Variables with the daemon's settings, its admin token and its password at the broker among them.
const OF_THE_DAEMON: &str = "NEXO_";

/// What an included file may use besides what stands in it: what the file that includes it grants, and nothing else. Whoever may
/// write a team's jobs may not thereby read what the daemon can.
pub(super) struct Scope {
    /// The path under `include`, as it is written there.
    written: String,
    /// The file that includes it.
    main: PathBuf,
    /// `None`: every agent.
    agents: Option<Vec<NamePattern>>,
    env: Vec<NamePattern>,
    read: Vec<Grant>,
    /// Files that no grant covers.
    secrets: Vec<PathBuf>,
}

/// A name, or with a `*` at its end every name that begins so.
struct NamePattern {
    text: String,
    is_prefix: bool,
}

/// A file that may be read, or a directory with such files.
struct Grant {
    /// Without links; `None` where nothing is there.
    resolved: Option<PathBuf>,
    /// As it is written, without `.` and `..`.
    plain: PathBuf,
}

impl Scope {
    /// Of the file at `path`, of which `main` says nothing but that.
    pub(super) fn of_path(path: &str, main: &Path, secrets: &[PathBuf]) -> Self {
        Self {
            written: path.to_owned(),
            main: main.to_owned(),
            agents: None,
            env: Vec::new(),
            read: Vec::new(),
            secrets: secrets.iter().filter_map(|secret| secret.canonicalize().ok()).collect(),
        }
    }

    /// As the mapping `table` of `main` grants it to the files at `paths`.
    pub(super) fn read(
        paths: &[String],
        table: &mut Table<'_>,
        main: &Path,
        secrets: &[PathBuf],
        sink: &mut Sink<'_>,
    ) -> Self {
        let place = table.place();
        let patterns = |names: Vec<String>, what: &str, sink: &mut Sink<'_>| -> Vec<NamePattern> {
            names.into_iter().filter_map(|name| NamePattern::read(name, what, &place, sink)).collect()
        };
        let says_agents = table.peek(key::AGENTS.name).is_some();
        let agents = patterns(key::AGENTS.read(table, sink), key::AGENTS.name, sink);
        let env = patterns(key::ENV.read(table, sink), key::ENV.name, sink);
        let read = key::READ.read(table, sink);
        let dir = main.parent().unwrap_or(Path::new(""));
        let grants = read.iter().map(|path| Grant::of(&dir.join(path))).collect::<Vec<_>>();
        if grants
            .iter()
            .any(|grant| is_of_the_system(&grant.plain) || grant.resolved.as_deref().is_some_and(is_of_the_system))
        {
            sink.add(place, "`read` cannot grant what is in /proc, /sys or /dev");
        }
        let written = paths.first().cloned().unwrap_or_default();
        let agents = says_agents.then_some(agents);
        Self { agents, env, read: grants, ..Self::of_path(&written, main, secrets) }
    }

    /// Why a job in the name of `agent` may not stand there.
    pub(super) fn refusal_of_agent(&self, agent: &str) -> Option<String> {
        let agents = self.agents.as_ref().filter(|agents| !agents.iter().any(|known| known.takes(agent)))?;
        let mut all: Vec<String> = agents.iter().map(NamePattern::written).collect();
        all.push(quoted(agent));
        Some(format!(
            "the agent `{agent}` is not granted to this file: {}",
            self.remedy(key::AGENTS.name, &all.join(", "))
        ))
    }

    /// What to write where.
    fn remedy(&self, key: &str, granted: &str) -> String {
        let main = self.main.display();
        format!(
            "its jobs may use it once {main} says `include: [ {{ files: {}, {key}: [ {granted} ] }} ]`",
            quoted(&self.written)
        )
    }

    fn refuse_file(&self, path: &Path) -> NotGiven {
        let dir = plain(self.main.parent().unwrap_or(Path::new("")));
        let shown = path.strip_prefix(dir).unwrap_or(path);
        NotGiven::Refused(format!(
            "this file may not read {}: {}",
            path.display(),
            self.remedy(key::READ.name, &quoted(&shown.display().to_string()))
        ))
    }
}

impl Kept for Scope {
    fn variable(&self, name: &str) -> Result<Option<String>, NotGiven> {
        if name.starts_with(OF_THE_DAEMON) {
            let message = format!("an included file never uses {OF_THE_DAEMON}…: it is the daemon's own");
            return Err(NotGiven::Refused(message));
        }
        if self.env.iter().any(|granted| granted.takes(name)) {
            return Own.variable(name);
        }
        Err(NotGiven::Refused(format!(
            "the environment variable `{name}` is not granted to this file: {}",
            self.remedy(key::ENV.name, name)
        )))
    }

    fn file(&self, path: &Path) -> Result<String, NotGiven> {
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            // Whether something is there is not told of places that are not granted.
            Err(error) => {
                let plain = plain(path);
                let granted = self.read.iter().any(|grant| plain.starts_with(&grant.plain));
                return Err(if granted { NotGiven::Unreadable(error) } else { self.refuse_file(&plain) });
            }
        };
        if is_of_the_system(&resolved) {
            return Err(NotGiven::Refused("an included file reads nothing of /proc, /sys and /dev".to_owned()));
        }
        if self.secrets.contains(&resolved) {
            return Err(secret(&resolved));
        }
        if !self.read.iter().any(|grant| grant.covers(&resolved)) {
            return Err(self.refuse_file(&resolved));
        }
        let file = open_resolved(&resolved)?;
        // Under another name it is the same file.
        let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        let opened = file.metadata()?;
        if self.secrets.iter().any(|secret| secret.metadata().is_ok_and(|secret| same(&secret, &opened))) {
            return Err(secret(&resolved));
        }
        must_be_closed(&file, &resolved)?;
        Ok(read_opened(file, private_file::MOST)?)
    }
}

fn secret(path: &Path) -> NotGiven {
    NotGiven::Refused(format!("an included file never reads {}: it holds the daemon's own secrets", path.display()))
}

impl NamePattern {
    fn read(name: String, key: &str, place: &Place, sink: &mut Sink<'_>) -> Option<Self> {
        let (text, is_prefix) = match name.strip_suffix('*') {
            Some(start) => (start.to_owned(), true),
            None => (name, false),
        };
        if text.contains('*') {
            sink.add(place.clone(), format!("in `{key}`, a `*` may only be the last character of a name"));
            return None;
        }
        Some(Self { text, is_prefix })
    }

    fn takes(&self, name: &str) -> bool {
        if self.is_prefix { name.starts_with(&self.text) } else { name == self.text }
    }

    fn written(&self) -> String {
        if self.is_prefix { format!("\"{}*\"", self.text) } else { quoted(&self.text) }
    }
}

impl Grant {
    fn of(path: &Path) -> Self {
        Self { resolved: path.canonicalize().ok(), plain: plain(path) }
    }

    fn covers(&self, resolved: &Path) -> bool {
        self.resolved.as_ref().is_some_and(|granted| resolved.starts_with(granted))
    }
}

/// `path` from the root, without `.` and `..`, as far as that can be said without looking at links.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// As YAML takes it for a text.
fn quoted(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
    if text.chars().all(is_bare) && text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '.' | '/'))
    {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}
