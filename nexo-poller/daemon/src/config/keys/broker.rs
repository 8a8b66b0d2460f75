//! What stands under `broker`.

use super::shape::{Mapping, Or, Required, Text, Texts, Whole};
use super::{Entry, Key};

pub(crate) static URL: Key<Required<Text>> =
    Key { name: "url", shape: Required(Text::ANY), says: "The server's address, such as nats://127.0.0.1:4222." };

pub(crate) static PLUGINS: Key<Texts> = Key {
    name: "plugins",
    shape: Texts,
    says: "Manifests of plugins that others start with NEXO_BROKER_URL: files, or directories of them.",
};

pub(crate) static STORED: Key<Texts> =
    Key { name: "stored", shape: Texts, says: "Topics whose messages a JetStream stream keeps." };

pub(crate) static STATE: Key<Mapping> = Key {
    name: "state",
    shape: Mapping { keys: STATE_KEYS, or_text: true },
    says: "A JetStream bucket in place of `state_db`: daemons with the same one share their jobs.",
};

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[&URL, &PLUGINS, &STORED, &STATE];

/// `state.bucket`.
pub(crate) static BUCKET: Key<Required<Text>> = Key {
    name: "bucket",
    shape: Required(Text {
        made_of: |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
        pattern: Some("^[A-Za-z0-9_-]+$"),
        ..Text::ANY
    }),
    says: "Its name: letters, digits, `_` and `-`.",
};

/// `state.history`.
pub(crate) static HISTORY: Key<Or<Whole<u8>, u8>> = Key {
    name: "history",
    shape: Or { shape: Whole { least: 1, most: 64 }, default: 10 },
    says: "Entries of each job that are kept.",
};

/// `state.replicas`.
pub(crate) static REPLICAS: Key<Or<Whole<u8>, u8>> = Key {
    name: "replicas",
    shape: Or { shape: Whole { least: 1, most: 5 }, default: 1 },
    says: "Servers that have each entry.",
};

pub(crate) static STATE_KEYS: &[&dyn Entry] = &[&BUCKET, &HISTORY, &REPLICAS];
