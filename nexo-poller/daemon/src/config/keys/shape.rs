use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::yaml::closest;

/// What a key takes, as far as the schema is concerned.
pub(crate) trait Shape: Sync {
    fn schema(&self) -> Value;

    fn is_required(&self) -> bool {
        false
    }

    fn default(&self) -> Option<Value> {
        None
    }
}

/// A key without the type of its value, for lists of keys.
pub(crate) trait Entry: Sync {
    fn name(&self) -> &'static str;
    fn says(&self) -> &'static str;
    fn shape(&self) -> &dyn Shape;

    /// The key in a JSON Schema.
    fn schema(&self) -> Value {
        let mut schema = self.shape().schema();
        schema["description"] = json!(self.says());
        if let Some(default) = self.shape().default() {
            schema["default"] = default;
        }
        schema
    }
}

/// `true` or `false`.
pub(crate) struct Flag;

/// A whole number.
pub(crate) struct Whole<N> {
    pub(crate) least: N,
    pub(crate) most: N,
}

/// A number.
pub(crate) struct Number {
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// Text that is not empty.
pub(crate) struct Text {
    /// The most bytes.
    pub(crate) most: usize,
    /// What it is made of; the pattern says the same to an editor.
    pub(crate) made_of: fn(char) -> bool,
    pub(crate) pattern: Option<&'static str>,
}

/// Texts, or one alone.
pub(crate) struct Texts;

/// One of a few words; what each means.
pub(crate) struct Word<T: 'static> {
    pub(crate) words: &'static [(&'static str, T)],
    /// The place of the one that is meant by a file that has none.
    pub(crate) default: usize,
}

/// Whatever its reader makes of it; an editor is shown this schema.
pub(crate) struct Free(pub(crate) fn() -> Value);

/// A mapping with these keys.
pub(crate) struct Mapping {
    pub(crate) keys: &'static [&'static dyn Entry],
    /// Whether a text alone will do in place of it.
    pub(crate) or_text: bool,
}

/// What stands for it where it is absent.
pub(crate) struct Or<S, D> {
    pub(crate) shape: S,
    pub(crate) default: D,
}

/// It must be there.
pub(crate) struct Required<S>(pub(crate) S);

impl Text {
    pub(crate) const ANY: Self = Self { most: usize::MAX, made_of: |_| true, pattern: None };

    pub(crate) fn takes(&self, text: &str) -> bool {
        text.len() <= self.most && text.chars().all(self.made_of)
    }
}

impl<T: Copy> Word<T> {
    pub(crate) const fn default(&self) -> (&'static str, T) {
        self.words[self.default]
    }

    pub(crate) fn closest(&self, found: &str) -> Option<&'static str> {
        closest(found, self.words.iter().map(|(word, _)| *word))
    }

    /// "once, skip or all".
    pub(crate) fn list(&self) -> String {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| *word).collect();
        match words.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            _ => words.concat(),
        }
    }
}

/// A mapping with `keys` and no others.
pub(crate) fn mapping<'k>(keys: impl IntoIterator<Item = &'k dyn Entry>) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for key in keys {
        properties.insert(key.name().to_owned(), key.schema());
        if key.shape().is_required() {
            required.push(key.name());
        }
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

impl Shape for Flag {
    fn schema(&self) -> Value {
        json!({ "type": "boolean" })
    }
}

impl<N: Copy + Serialize + Sync> Shape for Whole<N> {
    fn schema(&self) -> Value {
        json!({ "type": "integer", "minimum": self.least, "maximum": self.most })
    }
}

impl Shape for Number {
    fn schema(&self) -> Value {
        json!({ "type": "number", "minimum": self.least, "maximum": self.most })
    }
}

impl Shape for Text {
    fn schema(&self) -> Value {
        let mut schema = json!({ "type": "string", "minLength": 1 });
        if self.most < usize::MAX {
            schema["maxLength"] = json!(self.most);
        }
        if let Some(pattern) = self.pattern {
            schema["pattern"] = json!(pattern);
        }
        schema
    }
}

impl Shape for Texts {
    fn schema(&self) -> Value {
        json!({ "type": ["array", "string"], "items": { "type": "string", "minLength": 1 } })
    }
}

impl<T: Copy + Sync> Shape for Word<T> {
    fn schema(&self) -> Value {
        json!({ "enum": self.words.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
    }

    fn default(&self) -> Option<Value> {
        Some(json!(self.default().0))
    }
}

impl Shape for Free {
    fn schema(&self) -> Value {
        (self.0)()
    }
}

impl Shape for Mapping {
    fn schema(&self) -> Value {
        let mapping = mapping(self.keys.iter().copied());
        if self.or_text { json!({ "anyOf": [{ "type": "string" }, mapping] }) } else { mapping }
    }
}

impl<S: Shape, D: Serialize + Sync> Shape for Or<S, D> {
    fn schema(&self) -> Value {
        self.shape.schema()
    }

    fn default(&self) -> Option<Value> {
        Some(json!(self.default))
    }
}

impl<S: Shape> Shape for Required<S> {
    fn schema(&self) -> Value {
        self.0.schema()
    }

    fn is_required(&self) -> bool {
        true
    }
}
