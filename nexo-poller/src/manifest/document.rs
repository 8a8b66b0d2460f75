use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML document as a JSON value, so that a type is compiled for one format, and only once. It knows where everything stood.
pub(crate) struct Document<'a> {
    text: &'a str,
    table: Spanned<DeTable<'a>>,
}

/// Why a text is no document.
pub(crate) struct NotToml {
    /// What is wrong, without the text: it may hold a secret.
    pub(crate) message: String,
    /// From the start of the text, in bytes.
    pub(crate) offset: usize,
}

impl<'a> Document<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, NotToml> {
        let table = DeTable::parse(text).map_err(|error| NotToml {
            message: error.message().to_owned(),
            offset: error.span().map_or(0, |span| span.start),
        })?;
        Ok(Self { text, table })
    }

    /// Dates become strings, as they would be in JSON.
    pub(crate) fn to_value(&self) -> Result<Value, NotToml> {
        let root = self.table.get_ref();
        root.iter().map(|(key, value)| Ok((key.get_ref().to_string(), json_of(value)?))).collect()
    }

    /// `line 3, column 5: ` of what is at `path`, or of the innermost table that is there.
    pub(crate) fn place(&self, path: &Path) -> String {
        let (mut table, mut found, mut array) = (Some(self.table.get_ref()), None, None);
        for segment in path {
            let next = match segment {
                Segment::Map { key } => table.and_then(|table| table.get(key.as_str())),
                Segment::Seq { index } => array.and_then(|array: &toml::de::DeArray<'_>| array.get(*index)),
                _ => None,
            };
            let Some(next) = next else { break };
            (table, array) = (next.get_ref().as_table(), next.get_ref().as_array());
            found = Some(next.span().start);
        }
        found.map(|offset| position(self.text, offset)).unwrap_or_default()
    }
}

fn json_of(value: &Spanned<DeValue<'_>>) -> Result<Value, NotToml> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.into(),
            Err(_) => {
                return Err(NotToml { message: "the number is too large".to_owned(), offset: value.span().start });
            }
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Value::Number(number),
            None => {
                let message = "only a finite number can be used".to_owned();
                return Err(NotToml { message, offset: value.span().start });
            }
        },
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(json_of).collect::<Result<_, _>>()?,
        DeValue::Table(fields) => fields
            .iter()
            .map(|(key, value)| Ok((key.get_ref().to_string(), json_of(value)?)))
            .collect::<Result<_, _>>()?,
    })
}

/// `line 3, column 5: ` of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}
