use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::PollerError;
use super::path::at_path;

/// A message with `{fields}` in it: its form is checked when the job is loaded, and a field that an item does not have is an
/// error that names it. A value that itself looks like a field stays as it is. `{{` and `}}` are braces.
///
/// ```
/// use nexo_poller::contract::MessageTemplate;
/// use serde_json::json;
///
/// let template: MessageTemplate = "{key}: {fields.summary}".parse()?;
/// let issue = json!({"key": "NX-1", "fields": {"summary": "It {works}"}});
/// assert_eq!(template.fill_from(&issue)?, "NX-1: It {works}");
/// assert_eq!(
///     template.fill_from(&json!({"key": "NX-2", "id": 7})).unwrap_err().to_string(),
///     "the message template names `{fields.summary}`, which this item does not have; it has id, key"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Where all items have the same fields, `MessageTemplate<F>` knows them, and a template that names another is an error in the
/// job's config, before anything runs; see [`TemplateFields`].
pub struct MessageTemplate<F = AnyField> {
    parts: Vec<Part>,
    fields: PhantomData<fn() -> F>,
}

/// The fields that a [`MessageTemplate`] can name.
///
/// ```
/// use nexo_poller::prelude::*;
///
/// /// What a message can name of an issue.
/// struct Issue;
///
/// impl TemplateFields for Issue {
///     const FIELDS: &'static [&'static str] = &["key", "team.name", "fields.*"];
/// }
///
/// #[derive(Debug, Deserialize, JsonSchema)]
/// struct JobConfig {
///     /// The message; `{key}`, `{team.name}` and whatever is in `fields` is replaced.
///     message_template: MessageTemplate<Issue>,
/// }
///
/// let error = serde_json::from_value::<JobConfig>(json!({"message_template": "{kye}: {fields.summary}"})).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "it names the field `kye`, which there is not; there are key, team.name, fields.*"
/// );
/// ```
pub trait TemplateFields: 'static {
    /// The names, dotted where a field has fields. What stands above one that is listed can be named as well (`team`), and
    /// `fields.*` is everything below `fields`. List `json` where a message may hold the whole item.
    const FIELDS: &'static [&'static str];
}

/// Any field: what an item has is not known before it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnyField;

impl TemplateFields for AnyField {
    const FIELDS: &'static [&'static str] = &["*"];
}

/// Whether `name` is one of the fields that `known` lists.
fn is_listed(name: &str, known: &[&str]) -> bool {
    known.iter().any(|field| {
        *field == name
            || field.strip_suffix('*').is_some_and(|above| name.starts_with(above))
            || field.strip_prefix(name).is_some_and(|below| below.starts_with('.'))
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(String),
}

/// Why a text is no template. An operator sees it when the job is loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Nothing would ever be said.
    #[error("a message template must not be empty")]
    Empty,
    /// A brace without its other half.
    #[error("the `{brace}` at character {at} has no other half; for the brace itself write it twice")]
    Unpaired {
        /// The brace.
        brace: char,
        /// Where it stands, counted from 1.
        at: usize,
    },
    /// `{}`, or one with spaces or braces in it.
    #[error("the braces at character {at} hold no field's name; for the brace itself write it twice")]
    NoName {
        /// Where they open, counted from 1.
        at: usize,
    },
    /// A field that no item has.
    #[error("it names the field `{name}`, which there is not; there are {}", known.join(", "))]
    UnknownField {
        /// The name.
        name: String,
        /// Those that there are.
        known: &'static [&'static str],
    },
}

impl<F: TemplateFields> MessageTemplate<F> {
    /// The template that a poller's own code holds: a default, say.
    ///
    /// ```
    /// use nexo_poller::prelude::*;
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct FeedConfig {
    ///     #[serde(default = "title_and_link")]
    ///     message_template: MessageTemplate,
    /// }
    ///
    /// fn title_and_link() -> MessageTemplate {
    ///     MessageTemplate::from_static("{title}\n{link}")
    /// }
    ///
    /// let config: FeedConfig = serde_json::from_value(json!({}))?;
    /// assert_eq!(config.message_template.to_string(), "{title}\n{link}");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Panics
    /// Where `text` is not a template of these fields. What an operator writes is parsed instead.
    #[must_use]
    #[track_caller]
    pub fn from_static(text: &'static str) -> Self {
        match text.parse() {
            Ok(template) => template,
            Err(error) => panic!("{text:?} is not a message template: {error}"),
        }
    }
}

impl<F> MessageTemplate<F> {
    /// The names between braces, in the order of the text.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The text with each field replaced, in one pass.
    ///
    /// # Errors
    /// [`PollerError::Config`] that names the first field for which `value` has none; `known` names those that there are.
    pub fn fill<'v>(
        &self,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
        known: &[&str],
    ) -> Result<String, PollerError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field(name) => text.push_str(&value(name).ok_or_else(|| {
                    PollerError::config(format!(
                        "the message template names `{{{name}}}`, which this item does not have; it has {}",
                        if known.is_empty() { "no fields".to_owned() } else { known.join(", ") }
                    ))
                })?),
            }
        }
        Ok(text)
    }

    /// The text with each field taken from `item`: a dotted path (`fields.summary`, `labels.0`), or `json` for the whole item.
    /// Text goes in as it is, `null` and what would stand below it as nothing, anything else as JSON.
    ///
    /// # Errors
    /// As [`fill`](Self::fill).
    pub fn fill_from(&self, item: &Value) -> Result<String, PollerError> {
        let mut known: Vec<&str> =
            item.as_object().into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
        known.sort_unstable();
        let value = |name: &str| match at_path(item, name) {
            Some(Value::String(text)) => Some(Cow::Borrowed(text.as_str())),
            Some(Value::Null) => Some(Cow::Borrowed("")),
            Some(other) => Some(Cow::Owned(other.to_string())),
            None => (name == "json").then(|| Cow::Owned(item.to_string())),
        };
        self.fill(value, &known)
    }
}

impl<F: TemplateFields> FromStr for MessageTemplate<F> {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.trim().is_empty() {
            return Err(TemplateError::Empty);
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(brace) = rest.find(['{', '}']) {
            plain.push_str(&rest[..brace]);
            rest = &rest[brace..];
            let at = text[..text.len() - rest.len()].chars().count() + 1;
            if rest.starts_with("{{") || rest.starts_with("}}") {
                plain.push_str(&rest[..1]);
                rest = &rest[2..];
                continue;
            }
            let Some(inside) = rest.strip_prefix('{') else { return Err(TemplateError::Unpaired { brace: '}', at }) };
            let Some((name, after)) = inside.split_once('}') else {
                return Err(TemplateError::Unpaired { brace: '{', at });
            };
            if name.is_empty() || name.contains(|c: char| c == '{' || c.is_whitespace()) {
                return Err(TemplateError::NoName { at });
            }
            if !is_listed(name, F::FIELDS) {
                return Err(TemplateError::UnknownField { name: name.to_owned(), known: F::FIELDS });
            }
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Field(name.to_owned()));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts, fields: PhantomData })
    }
}

// By hand, since a derive would ask `F` for the same.
impl<F> Clone for MessageTemplate<F> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), fields: PhantomData }
    }
}

impl<F> PartialEq for MessageTemplate<F> {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl<F> Eq for MessageTemplate<F> {}

impl<F> fmt::Debug for MessageTemplate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageTemplate").field("parts", &self.parts).finish()
    }
}

impl<F> fmt::Display for MessageTemplate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Field(name) => write!(f, "{{{name}}}"),
        })
    }
}

impl<'de, F: TemplateFields> Deserialize<'de> for MessageTemplate<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<F> Serialize for MessageTemplate<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<F> JsonSchema for MessageTemplate<F> {
    fn schema_name() -> Cow<'static, str> {
        "MessageTemplate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests;
