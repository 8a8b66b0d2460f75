use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A wall-clock instant: milliseconds since 1970-01-01T00:00:00Z. In JSON it is RFC 3339; a number of milliseconds is read
/// as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This instant plus `duration`, at most the last representable one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant minus `duration`, at least the first representable one.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant as a date, clamped to the years that `chrono` knows.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        let clamped = if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_millis(self.0).unwrap_or(clamped)
    }
}

impl From<DateTime<Utc>> for UnixMs {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl JsonSchema for UnixMs {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UnixMs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl Serialize for UnixMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixMs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Millis(i64),
            Text(DateTime<Utc>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Millis(millis) => Self(millis),
            Written::Text(at) => Self::from(at),
        })
    }
}

/// RFC 3339 with milliseconds, as in `2026-05-17T10:00:00.000Z`.
impl fmt::Display for UnixMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_utc().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::UnixMs;

    #[test]
    fn an_instant_is_a_date_in_json_and_is_read_from_a_number_too() {
        let at = UnixMs(1_795_399_660_826);
        let text = serde_json::to_string(&at).unwrap();
        assert_eq!(text, "\"2026-11-23T02:07:40.826Z\"");
        assert_eq!(serde_json::from_str::<UnixMs>(&text).unwrap(), at);
        assert_eq!(serde_json::from_str::<UnixMs>("1795399660826").unwrap(), at);
    }
}
