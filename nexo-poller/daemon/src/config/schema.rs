use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::config::keys::{Entry as _, job, mapping, schedule, settings};

/// The JSON Schema of `pollers.yaml`, with `kinds`' own schemas of their configs: editors complete and check the file with it.
pub(crate) fn of_file(kinds: &BTreeMap<String, Value>) -> Value {
    let (mut definitions, mut choices) = (Map::new(), Vec::new());
    for (kind, config) in kinds {
        let name = format!("config of {kind}");
        choices.push(json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "properties": { "config": { "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) } } },
        }));
        definitions.insert(name, own_document(kind, config.clone()));
    }
    definitions.insert("job".to_owned(), of_job(kinds, choices));
    definitions.insert("schedule".to_owned(), of_schedule());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pollers.yaml",
        "type": "object",
        "properties": { "pollers": mapping(settings::KEYS.iter().copied()) },
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

fn of_job(kinds: &BTreeMap<String, Value>, choices: Vec<Value>) -> Value {
    let mut schema = mapping(job::KEYS.iter().copied());
    // The table knows no kinds: those that there are stand in place of any text.
    let kinds: Vec<&String> = kinds.keys().collect();
    schema["properties"][job::KIND.name] = json!({ "enum": kinds, "description": job::KIND.says() });
    schema["allOf"] = Value::Array(choices);
    schema
}

fn of_schedule() -> Value {
    let form = |form: &schedule::Form| {
        let mut schema = mapping(std::iter::once(form.needs).chain(form.takes.iter().copied()));
        schema["required"] = json!([form.needs.name()]);
        schema
    };
    json!({ "anyOf": schedule::FORMS.iter().map(form).collect::<Vec<_>>() })
}
