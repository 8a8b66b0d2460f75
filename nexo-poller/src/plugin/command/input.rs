use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::failure::Failure;
use crate::manifest::{Document, NotToml};

/// A job's config, from where `--config` says: `-` is stdin, what begins with `{` is JSON itself, the rest is a file.
/// Without one it is empty, for kinds whose config has defaults.
pub(super) fn config(source: Option<&str>) -> Result<Value, Failure> {
    let (text, name) = match source {
        None => return Ok(Value::Object(Map::new())),
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::other(format!("stdin cannot be read: {error}")))?;
            (text, "stdin")
        }
        Some(json) if json.trim_start().starts_with('{') => (json.to_owned(), "--config"),
        Some(file) => {
            let read = std::fs::read_to_string(file);
            (read.map_err(|error| Failure::other(format!("the config file {file} cannot be read: {error}")))?, file)
        }
    };
    let value = parse(&text, name)?;
    Ok(of_job(value))
}

/// Where a whole job stands (`id`, `kind`, `config` …), its `config` is meant.
fn of_job(mut value: Value) -> Value {
    let is_job = value.get("id").or(value.get("kind")).is_some_and(Value::is_string);
    match value.get_mut("config").filter(|config| is_job && config.is_object()) {
        Some(config) => config.take(),
        None => value,
    }
}

/// JSON or TOML, by the name's ending; by what it looks like where the name does not say.
fn parse(text: &str, name: &str) -> Result<Value, Failure> {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "yaml" | "yml" => Err(Failure::usage(format!(
            "{name}: daemons read YAML, a poller's own commands do not; write the job's config as JSON or TOML"
        ))),
        "toml" => parse_toml(text, name),
        "json" => parse_json(text, name),
        _ if text.trim_start().starts_with('{') => parse_json(text, name),
        _ => parse_toml(text, name),
    }
}

fn parse_json(text: &str, name: &str) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::config(format!("{name}: not JSON: {error}")))
}

fn parse_toml(text: &str, name: &str) -> Result<Value, Failure> {
    let not_toml = |error: NotToml| {
        // The message alone: lines of a config hold secrets.
        let line = text.get(..error.offset).unwrap_or(text).matches('\n').count() + 1;
        Failure::config(format!("{name}:{line}: not TOML: {}", error.message))
    };
    Document::parse(text).and_then(|document| document.to_value()).map_err(not_toml)
}

/// A cursor, from where `--cursor` says: a file as it is, else JSON itself.
pub(super) fn cursor(source: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(source) = source else { return Ok(None) };
    match std::fs::read(source) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(source).is_ok() => Ok(Some(source.as_bytes().to_vec())),
        Err(error) => Err(Failure::usage(format!("--cursor is a file or JSON, and `{source}` is neither: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(failure: &Failure) -> &str {
        failure.message().unwrap_or_default()
    }

    #[test]
    fn json_and_toml_say_the_same_by_ending_or_by_looks() {
        let expected =
            json!({"url": "http://x", "deliver": {"to": "me"}, "since": "2026-05-17T10:00:00Z", "n": [1, 2.5]});
        let toml = "url = 'http://x'\nsince = 2026-05-17T10:00:00Z\nn = [1, 2.5]\n[deliver]\nto = 'me'\n";
        for (text, name) in
            [(toml, "a.toml"), (toml, "stdin"), (&expected.to_string(), "a.json"), (&expected.to_string(), "-")]
        {
            assert_eq!(parse(text, name).unwrap(), expected, "{name}");
        }
    }

    #[test]
    fn a_number_that_json_cannot_say_is_refused_rather_than_lost() {
        assert_eq!(parse("a = 1_000.5", "a.toml").unwrap(), json!({"a": 1000.5}));
        for number in ["1e400", "inf", "-inf", "nan"] {
            let failure = parse(&format!("a = {number}"), "a.toml").unwrap_err();
            assert!(message(&failure).contains("only a finite number"), "{number}: {failure:?}");
        }
    }

    #[test]
    fn a_whole_job_stands_for_its_config() {
        assert_eq!(of_job(json!({"id": "ana", "kind": "rss", "config": {"a": 1}})), json!({"a": 1}));
        // A config that happens to have a field of that name stays whole.
        assert_eq!(of_job(json!({"config": {"a": 1}})), json!({"config": {"a": 1}}));
        assert_eq!(of_job(json!({"kind": "a", "config": "x"})), json!({"kind": "a", "config": "x"}));
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_without_its_secrets() {
        let failure = parse("a = 1\npassword = hunter2\n", "job.toml").unwrap_err();
        assert!(message(&failure).starts_with("job.toml:2: not TOML"), "{failure:?}");
        assert!(!message(&failure).contains("hunter2"), "{failure:?}");
        let failure = parse("{\"password\": hunter2}", "job.json").unwrap_err();
        assert!(message(&failure).contains("job.json: not JSON"), "{failure:?}");
        assert!(!message(&failure).contains("hunter2"), "{failure:?}");
    }

    #[test]
    fn yaml_is_sent_to_the_daemon() {
        assert!(message(&parse("a: 1", "job.yaml").unwrap_err()).contains("write the job's config as JSON or TOML"));
    }

    #[test]
    fn a_cursor_is_json_or_a_file() {
        assert_eq!(cursor(None).unwrap(), None);
        assert_eq!(cursor(Some("{\"n\": 1}")).unwrap().as_deref(), Some(b"{\"n\": 1}".as_slice()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\x00raw").unwrap();
        assert_eq!(cursor(file.path().to_str()).unwrap().as_deref(), Some(b"\x00raw".as_slice()));
        assert!(message(&cursor(Some("no/such")).unwrap_err()).contains("--cursor is a file or JSON"));
    }
}
