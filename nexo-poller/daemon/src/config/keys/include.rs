//! What stands in an item of `include` that is not a path alone.

use serde_json::{Value, json};

use super::shape::{Required, Texts};
use super::{Entry, Key, mapping};

pub(crate) static FILES: Key<Required<Texts>> = Key {
    name: "files",
    shape: Required(Texts),
    says: "Files with jobs, or directories of them, relative to this file.",
};

pub(crate) static AGENTS: Key<Texts> = Key {
    name: "agents",
    shape: Texts,
    says: "The agents that their jobs may name; `team_*` is each one that begins so. Without the key: every agent.",
};

pub(crate) static ENV: Key<Texts> = Key {
    name: "env",
    shape: Texts,
    says: "The variables of the daemon's environment that they may use; `TEAM_*` is each one that begins so. Without the key: none.",
};

pub(crate) static READ: Key<Texts> = Key {
    name: "read",
    shape: Texts,
    says: "The files, and directories with them, that ${file:…} may read there, relative to this file. Without the key: none.",
};

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[&FILES, &AGENTS, &ENV, &READ];

/// Paths and mappings, or one alone.
pub(super) fn schema() -> Value {
    let path = json!({ "type": "string", "minLength": 1 });
    let item = json!([path, mapping(KEYS.iter().copied())]);
    json!({ "anyOf": [path, mapping(KEYS.iter().copied()), { "type": "array", "items": { "anyOf": item } }] })
}
