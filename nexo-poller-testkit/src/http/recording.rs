use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HttpError;

/// What was asked and answered, in order. As a file it is JSON that a person can read and write.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recording {
    /// One after the other.
    pub exchanges: Vec<Exchange>,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exchange {
    /// What was asked.
    pub request: Asked,
    /// What was answered.
    pub response: Answer,
}

/// What of a request tells it from others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// `/rest/api/search`.
    pub path: String,
    /// The parameters; absent: whatever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<BTreeMap<String, String>>,
    /// The body, JSON or text; absent: whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// By their names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON object or array, or a text.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HttpError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| HttpError::Io { path: path.to_owned(), error })?;
        serde_json::from_str(&text).map_err(|error| HttpError::Json { path: path.to_owned(), error })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), HttpError> {
        let path = path.as_ref();
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| HttpError::Json { path: path.to_owned(), error })?;
        text.push('\n');
        std::fs::write(path, text).map_err(|error| HttpError::Io { path: path.to_owned(), error })
    }
}

impl<const N: usize> From<[Exchange; N]> for Recording {
    fn from(exchanges: [Exchange; N]) -> Self {
        Self { exchanges: exchanges.into() }
    }
}

impl FromIterator<Exchange> for Recording {
    fn from_iter<I: IntoIterator<Item = Exchange>>(exchanges: I) -> Self {
        Self { exchanges: exchanges.into_iter().collect() }
    }
}

impl Exchange {
    /// `GET` of `path`, answered with status 200 and nothing.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::of("GET", path)
    }

    /// `POST` to `path`, answered with status 200 and nothing.
    #[must_use]
    pub fn post(path: &str) -> Self {
        Self::of("POST", path)
    }

    /// Any method.
    #[must_use]
    pub fn of(method: &str, path: &str) -> Self {
        Self {
            request: Asked { method: method.to_owned(), path: path.to_owned(), query: None, body: None },
            response: Answer { status: 200, headers: BTreeMap::new(), body: Value::Null },
        }
    }

    /// Only where the query has this parameter, and no other than those that are named this way.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.request.query.get_or_insert_default().insert(name.to_owned(), value.to_owned());
        self
    }

    /// Only where the request's body is this JSON.
    #[must_use]
    pub fn sent(mut self, body: Value) -> Self {
        self.request.body = Some(body);
        self
    }

    /// The answer's status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.response.status = status;
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.response.headers.insert(name.to_ascii_lowercase(), value.to_owned());
        self
    }

    /// The answer's body, as JSON.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.response.body = body.clone();
        self.header("content-type", "application/json")
    }

    /// The answer's body, as text.
    #[must_use]
    pub fn text(mut self, body: impl Into<String>) -> Self {
        self.response.body = Value::String(body.into());
        self
    }
}

impl Asked {
    /// Whether `other`, a request that has come, is this one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.method.eq_ignore_ascii_case(&other.method)
            && self.path == other.path
            && (self.query.is_none() || self.query == other.query)
            && (self.body.is_none() || self.body == other.body)
    }
}

/// JSON where it is an object or an array, else text; nothing where there is none.
pub(super) fn body_of(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ if bytes.is_empty() => Value::Null,
        _ => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// The bytes of a recorded body.
pub(super) fn bytes_of(body: &Value) -> Vec<u8> {
    match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        other => other.to_string().into_bytes(),
    }
}
