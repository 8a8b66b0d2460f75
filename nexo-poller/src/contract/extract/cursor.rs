use std::any::type_name;
use std::future::{Future, ready};
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::FromTick;
use crate::contract::{PollContext, PollerError};

/// The cursor of the last acknowledged tick, decoded from JSON as `T`; `T::default()` on the very first tick.
///
/// A cursor that does not decode ends the tick with an error that tells the operator how to reset the job. It is never
/// replaced by a default: that would silently announce everything again, or skip what was missed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor<T>(pub T);

/// What can be a cursor: every type that is `Serialize`, `Deserialize`, `Default` and `Send`. Nobody implements it by
/// hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a cursor",
    label = "`{Self}` is stored between ticks",
    note = "derive all three: `#[derive(Default, Serialize, Deserialize)]`"
)]
pub trait CursorValue: Serialize + DeserializeOwned + Default + Send {}

// `Serialize` is asked for although only reading happens here: what is read back was written by `TickAck::with_cursor`.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Default + Send> CursorValue for T {}

impl<T: DeserializeOwned + Default> Cursor<T> {
    fn decode(ctx: &PollContext) -> Result<Self, PollerError> {
        let Some(bytes) = ctx.cursor.as_deref().filter(|bytes| !bytes.is_empty()) else {
            return Ok(Self(T::default()));
        };
        serde_json::from_slice(bytes).map(Self).map_err(|error| {
            PollerError::permanent(format!(
                "job `{job}`: its stored cursor ({len} bytes) does not decode as {type_name} ({category} at byte \
                 {column}); go back to the poller version that wrote it, or, if it was set by hand, restore the one before \
                 it, or reset the job to start over",
                job = ctx.job_id,
                len = bytes.len(),
                type_name = type_name::<T>(),
                // The category only: serde's message may quote what the cursor holds.
                category = match error.classify() {
                    serde_json::error::Category::Data => "unexpected data",
                    serde_json::error::Category::Syntax => "not JSON",
                    serde_json::error::Category::Eof | serde_json::error::Category::Io => "cut short",
                },
                column = error.column(),
            ))
        })
    }
}

impl<T> Deref for Cursor<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: CursorValue> FromTick<'_> for Cursor<T> {
    fn from_tick(ctx: &PollContext) -> impl Future<Output = Result<Self, PollerError>> + Send {
        ready(Self::decode(ctx))
    }
}
