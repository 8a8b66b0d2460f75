use std::future::{Future, ready};
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::FromTick;
use crate::contract::{PollContext, PollerError, describe_decode_error};

/// The job's `config`, decoded as `T`. Checked when the job is loaded, with the same decoder.
///
/// `T` derives `Deserialize` and `JsonSchema`; add `#[serde(deny_unknown_fields)]`, so that an operator's typing
/// mistake is an error that names the key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config<T>(pub T);

/// What can be a job's config: every type that is `Deserialize`, `JsonSchema` and `Send`. Nobody implements it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the config of a job",
    label = "`{Self}` is read from the job's config",
    note = "derive both: `#[derive(Deserialize, JsonSchema)]`"
)]
pub trait JobConfig: DeserializeOwned + JsonSchema + Send {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send> JobConfig for T {}

impl<T: DeserializeOwned> Config<T> {
    fn decode(config: &Value) -> Result<Self, PollerError> {
        // `config:` left out or empty is the same as an empty mapping, for kinds that need nothing.
        let empty = Value::Object(serde_json::Map::new());
        let config = if config.is_null() { &empty } else { config };
        serde_path_to_error::deserialize(config).map(Self).map_err(|error| {
            let message = format!("config: {}", describe_decode_error(&error, config));
            match error.path().to_string() {
                // The config as a whole.
                path if path == "." => PollerError::config(message),
                path => PollerError::config_at(path, message),
            }
        })
    }
}

impl<T> Deref for Config<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: JobConfig> FromTick<'_> for Config<T> {
    fn validate(config: &Value) -> Result<(), PollerError> {
        Self::decode(config).map(|_| ())
    }

    fn config_schema() -> Option<Schema> {
        Some(SchemaGenerator::default().into_root_schema_for::<T>())
    }

    fn from_tick(ctx: &PollContext) -> impl Future<Output = Result<Self, PollerError>> + Send {
        ready(Self::decode(&ctx.config))
    }
}
