use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use nexo_poller::router::ProcessGroup;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::built_in;
use super::set::PluginSet;

/// A binary that has not answered by then knows no `schema`.
const DEADLINE: Duration = Duration::from_secs(10);

/// The JSON Schema of `pollers.yaml`, with the config of every kind that `plugins` and the daemon itself offer: editors
/// complete and check the file with it.
pub(crate) async fn schema(plugins: &PluginSet) -> Value {
    let mut configs: BTreeMap<String, Value> = BTreeMap::new();
    for kind in plugins.kinds() {
        let config = match built_in::config_schema(&kind) {
            Some(config) => config,
            None => match plugins.command_of(&kind) {
                Some(command) => ask(command, &kind).await.unwrap_or(Value::Bool(true)),
                // Others start it: its config is theirs to know.
                None => Value::Bool(true),
            },
        };
        configs.insert(kind, config);
    }
    of_file(&configs)
}

/// `<command> schema --kind <kind>`; a binary that knows no such command says nothing about its config.
async fn ask(mut command: Command, kind: &str) -> Option<Value> {
    command.args(["schema", "--kind", kind]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let exchange = async {
        let child = command.spawn().ok()?;
        let _group = ProcessGroup::of(&child);
        child.wait_with_output().await.ok()
    };
    let output = tokio::time::timeout(DEADLINE, exchange).await.ok().flatten()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok()).flatten()
}

fn of_file(configs: &BTreeMap<String, Value>) -> Value {
    let kinds: Vec<&String> = configs.keys().collect();
    let (mut definitions, mut choices) = (Map::new(), Vec::new());
    for (kind, config) in configs {
        let name = format!("config of {kind}");
        choices.push(json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "properties": { "config": { "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) } } },
        }));
        definitions.insert(name, own_document(kind, config.clone()));
    }
    definitions.insert("job".to_owned(), job(&kinds, &choices));
    definitions.insert("schedule".to_owned(), schedule());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pollers.yaml",
        "type": "object",
        "properties": { "pollers": settings() },
        "required": ["pollers"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// A kind's schema refers to its own definitions from its own root, so it becomes a document of its own inside this one.
fn own_document(kind: &str, schema: Value) -> Value {
    match schema {
        Value::Object(mut fields) => {
            fields.remove("$schema");
            fields.insert("$id".to_owned(), json!(format!("urn:nexo-poller:kind:{kind}")));
            Value::Object(fields)
        }
        other => other,
    }
}

fn settings() -> Value {
    let whole = |least: u64, most: u64, said: &str| json!({ "type": "integer", "minimum": least, "maximum": most, "description": said });
    let path = |said: &str| json!({ "type": "string", "minLength": 1, "description": said });
    let texts = |said: &str| json!({ "type": ["array", "string"], "items": { "type": "string", "minLength": 1 }, "description": said });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "enabled": { "type": "boolean", "default": true, "description": "false: nothing is polled; list, show and reload still answer." },
            "state_db": path("The SQLite file with cursors, pauses and errors. Default: ./data/poller.db"),
            "include": texts("Files with more jobs, or directories of them, relative to this file."),
            "plugins": texts("A directory with plugins, or a list of paths to binaries and directories."),
            "credentials": path("The file with the agents' accounts and the language models."),
            "default_jitter_ms": whole(0, 3_600_000, "Cron jobs start up to this much later."),
            "lease_ttl_factor": { "type": "number", "minimum": 1, "maximum": 100, "description": "A job's lease lasts this many intervals, at least 30 s." },
            "failure_alert_cooldown_secs": whole(0, 31_536_000, "At most one failure alert per job within this time."),
            "breaker_threshold": whole(0, 1_000_000, "So many failures in a row open a job's breaker; 0: never."),
            "admin": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "bind": { "type": "string", "default": "127.0.0.1:9091", "description": "The admin API's address and port; port 0 picks a free one." },
                    "token_file": path("What callers from other machines must show; else the variable NEXO_POLLER_ADMIN_TOKEN says it."),
                    "names": texts("Host names that callers from other machines use."),
                    "plain_http": { "type": "boolean", "default": false, "description": "Let other machines in without TLS." },
                    "tls": {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["cert", "key"],
                        "properties": { "cert": path("A PEM file."), "key": path("A PEM file, its owner's only.") },
                    },
                },
            },
            "broker": {
                "description": "The NATS server that daemons and plugins of several machines share.",
                "anyOf": [
                    { "type": "string" },
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["url"],
                        "properties": {
                            "url": { "type": "string" },
                            "plugins": texts("Manifests of plugins that others start."),
                            "stored": texts("Topics that a stream keeps."),
                            "state": {
                                "anyOf": [
                                    { "type": "string" },
                                    {
                                        "type": "object",
                                        "additionalProperties": false,
                                        "required": ["bucket"],
                                        "properties": {
                                            "bucket": { "type": "string", "pattern": "^[A-Za-z0-9_-]+$" },
                                            "history": whole(1, 64, "Entries of each job that are kept."),
                                            "replicas": whole(1, 5, "Servers that have each entry."),
                                        },
                                    },
                                ],
                            },
                        },
                    },
                ],
            },
            "jobs": { "type": "array", "items": { "$ref": "#/$defs/job" } },
        },
    })
}

fn job(kinds: &[&String], choices: &[Value]) -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["id", "kind", "agent", "schedule"],
        "properties": {
            "id": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^\\S+$", "description": "Unique; a job keeps its cursor under this name." },
            "kind": { "enum": kinds, "description": "What a plugin, or the daemon itself, offers." },
            "agent": { "type": "string", "minLength": 1, "description": "In whose name credentials are resolved." },
            "schedule": { "$ref": "#/$defs/schedule" },
            "config": { "type": "object", "description": "The kind's own keys." },
            "failure_to": {
                "type": "object",
                "additionalProperties": false,
                "required": ["channel", "to"],
                "properties": { "channel": { "type": "string" }, "to": { "type": "string" } },
                "description": "Told when the job stops working.",
            },
            "paused_on_boot": { "type": "boolean", "default": false },
            "catch_up": { "enum": ["once", "skip", "all"], "default": "once", "description": "What happens to runs that were missed." },
        },
        "allOf": choices,
    })
}

fn schedule() -> Value {
    let jitter = json!({ "type": "integer", "minimum": 0, "maximum": 3_600_000, "description": "Starts up to this much later." });
    let form = |fields: Value, required: &str| {
        let mut properties = fields;
        if required != "at"
            && let Some(properties) = properties.as_object_mut()
        {
            properties.insert("stagger_jitter_ms".to_owned(), jitter.clone());
        }
        json!({ "type": "object", "additionalProperties": false, "required": [required], "properties": properties })
    };
    let text = |said: &str| json!({ "type": "string", "description": said });
    json!({
        "anyOf": [
            form(json!({ "every_secs": { "type": "integer", "minimum": 1, "maximum": 31_536_000 } }), "every_secs"),
            form(json!({ "every": text("A length of time with its unit: 5m, 1h 30m.") }), "every"),
            form(json!({ "cron": text("Five fields, or six with seconds first."), "tz": text("An IANA time zone.") }), "cron"),
            form(json!({ "at": text("An instant with its offset: 2026-04-26T15:00:00Z.") }), "at"),
        ],
    })
}
