//! What stands under `pollers`.

use serde_json::json;

use super::shape::{Flag, Free, Mapping, Number, Or, Text, Whole};
use super::{Entry, Key, admin, allow, broker, include, mapping, plugin};

pub(crate) static ENABLED: Key<Or<Flag, bool>> = Key {
    name: "enabled",
    shape: Or { shape: Flag, default: true },
    says: "false: nothing is polled; list, show and reload still answer.",
};

pub(crate) static STATE_DB: Key<Or<Text, &str>> = Key {
    name: "state_db",
    shape: Or { shape: Text::ANY, default: "data/poller.db" },
    says: "The SQLite file with cursors, pauses and errors. Its directory is created; the admin token is kept beside it.",
};

pub(crate) static DEFAULT_JITTER_MS: Key<Or<Whole<u64>, u64>> = Key {
    name: "default_jitter_ms",
    shape: Or { shape: Whole { least: 0, most: 3_600_000 }, default: 5_000 },
    says: "Cron jobs start up to this much later, so that not all start at once.",
};

pub(crate) static LEASE_TTL_FACTOR: Key<Or<Number, f64>> = Key {
    name: "lease_ttl_factor",
    shape: Or { shape: Number { least: 1.0, most: 100.0 }, default: 2.0 },
    says: "A job's lease lasts this many intervals, at least 30 s.",
};

pub(crate) static FAILURE_ALERT_COOLDOWN_SECS: Key<Or<Whole<u64>, u64>> = Key {
    name: "failure_alert_cooldown_secs",
    shape: Or { shape: Whole { least: 0, most: 31_536_000 }, default: 3_600 },
    says: "At most one failure alert per job within this time.",
};

pub(crate) static BREAKER_THRESHOLD: Key<Or<Whole<u32>, u32>> = Key {
    name: "breaker_threshold",
    shape: Or { shape: Whole { least: 0, most: 1_000_000 }, default: 5 },
    says: "So many failures in a row open a job's breaker; 0: never.",
};

pub(crate) static PLUGINS: Key<Free> = Key {
    name: "plugins",
    shape: Free(|| {
        let entry = json!({ "anyOf": [{ "type": "string", "minLength": 1 }, mapping(plugin::KEYS.iter().copied())] });
        json!({ "anyOf": [entry, { "type": "array", "items": entry }] })
    }),
    says: "A directory with plugins, or a list of paths to binaries and directories.",
};

pub(crate) static ALLOW: Key<Free> = Key {
    name: "allow",
    shape: Free(|| json!({ "type": "object", "additionalProperties": mapping(allow::KEYS.iter().copied()) })),
    says: "What of their manifests' wishes plugins are given beyond what every plugin has, by plugin id.",
};

pub(crate) static BROKER: Key<Mapping> = Key {
    name: "broker",
    shape: Mapping { keys: broker::KEYS, or_text: true },
    says: "The NATS server that daemons and plugins of several machines share.",
};

pub(crate) static CREDENTIALS: Key<Text> = Key {
    name: "credentials",
    shape: Text::ANY,
    says: "The file with the agents' accounts and the language models, readable for its owner only.",
};

pub(crate) static ADMIN: Key<Mapping> = Key {
    name: "admin",
    shape: Mapping { keys: admin::KEYS, or_text: false },
    says: "Where the daemon can be asked, and by whom: the admin API, /metrics and the page.",
};

pub(crate) static JOBS: Key<Free> = Key {
    name: "jobs",
    shape: Free(|| json!({ "type": "array", "items": { "$ref": "#/$defs/job" } })),
    says: "What is polled, by which kind, and when.",
};

pub(crate) static INCLUDE: Key<Free> = Key {
    name: "include",
    shape: Free(include::schema),
    says: "Files with more jobs, or directories of them, relative to this file; as a path, or with what they may use.",
};

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[
    &ENABLED,
    &STATE_DB,
    &DEFAULT_JITTER_MS,
    &LEASE_TTL_FACTOR,
    &FAILURE_ALERT_COOLDOWN_SECS,
    &BREAKER_THRESHOLD,
    &PLUGINS,
    &ALLOW,
    &BROKER,
    &CREDENTIALS,
    &ADMIN,
    &JOBS,
    &INCLUDE,
];
