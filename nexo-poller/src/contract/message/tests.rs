use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::contract::{Config, FromTick};

fn template(text: &str) -> MessageTemplate {
    text.parse().unwrap()
}

#[test]
fn fields_are_dotted_paths_and_a_value_that_looks_like_a_field_stays_as_it_is() {
    let item = json!({"a": "{b}", "b": {"c": [1, {"d": true}]}, "none": null, "json.x": 1});
    for (text, filled) in [
        ("{a}{b.c.0} {b.c.1.d}", "{b}1 true"),
        ("[{none}{none.name}]", "[]"),
        ("{b}", r#"{"c":[1,{"d":true}]}"#),
        ("{{a}} é {a}", "{a} é {b}"),
        ("no field", "no field"),
    ] {
        assert_eq!(template(text).fill_from(&item).unwrap(), filled, "of {text:?}");
    }
    assert_eq!(template("{json}").fill_from(&json!({"x": 1})).unwrap(), r#"{"x":1}"#);
    assert_eq!(template("{json}").fill_from(&json!({"json": "own"})).unwrap(), "own");
}

#[test]
fn an_unknown_field_is_a_config_error_that_names_it_and_not_the_values() {
    let error = template("{titel}").fill_from(&json!({"title": "hunter2"})).unwrap_err();
    assert!(matches!(error, PollerError::Config { .. }), "{error}");
    assert_eq!(error.to_string(), "the message template names `{titel}`, which this item does not have; it has title");
}

#[test]
fn what_is_no_template_is_refused_with_its_place() {
    for (text, said) in [
        (" ", "must not be empty"),
        ("é {a", "the `{` at character 3 has no other half"),
        ("a} b", "the `}` at character 2 has no other half"),
        ("{}", "at character 1 hold no field's name"),
        ("{a b}", "at character 1 hold no field's name"),
        ("{a{b}}", "at character 1 hold no field's name"),
    ] {
        let error = serde_json::from_value::<MessageTemplate>(json!(text)).unwrap_err().to_string();
        assert!(error.contains(said), "of {text:?}: {error}");
    }
}

/// The fields of an issue.
#[derive(Debug)]
struct Issue;

impl TemplateFields for Issue {
    const FIELDS: &'static [&'static str] = &["key", "team.name", "fields.*"];
}

#[test]
fn a_field_that_there_is_not_is_refused_when_the_config_is_read_with_those_that_there_are() {
    for known in ["{key} {team.name} {fields.summary} {fields.a.b}", "{team}{fields}", "no field"] {
        assert_eq!(known.parse::<MessageTemplate<Issue>>().unwrap().to_string(), known);
    }
    for unknown in ["key.name", "team.key", "summary", "teams", "fieldsummary", "json"] {
        let error = format!("{{key}} {{{unknown}}}").parse::<MessageTemplate<Issue>>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("it names the field `{unknown}`, which there is not; there are key, team.name, fields.*")
        );
    }
    assert!("{whatever.there}".parse::<MessageTemplate>().is_ok());
}

/// An error hides what stands in the config; the field's name is to be seen all the same.
#[test]
fn a_template_that_is_nothing_but_an_unknown_field_is_named_too() {
    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only decoded")]
    struct Job {
        message_template: MessageTemplate<Issue>,
    }
    let config = json!({"message_template": "{summary}"});
    let error = <Config<Job> as FromTick>::validate(&config).unwrap_err().to_string();
    let expected = "config: `message_template`: it names the field `summary`, which there is not";
    assert!(error.starts_with(expected), "{error}");
}

proptest! {
    #[test]
    fn a_template_reads_itself_back(text in "[xé{} .a]{1,20}") {
        if let Ok(template) = text.parse::<MessageTemplate>() {
            prop_assert_eq!(template.to_string().parse(), Ok(template));
        }
    }
}
