//! Extractors: each argument of a poller function is one, built from the tick it runs in.

mod config;
mod cursor;
mod state;
#[cfg(test)]
mod tests;

use std::future::{Future, ready};
use std::pin::Pin;

use schemars::Schema;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{PollContext, PollerError};

pub use self::config::{Config, JobConfig};
pub use self::cursor::{Cursor, CursorValue};
pub use self::state::{State, WarmState, WarmStates};

/// A type that can be an argument of a `#[poller]` function.
///
/// Write your own for what several pollers share; `async` is fine, and so is failing:
///
/// ```
/// use nexo_poller::prelude::*;
///
/// /// The agent's Telegram account, looked up before the tick starts.
/// struct TelegramAccount(String);
///
/// #[derive(Deserialize)]
/// struct Account {
///     account_id: String,
/// }
///
/// impl FromTick<'_> for TelegramAccount {
///     async fn from_tick(ctx: &PollContext) -> Result<Self, PollerError> {
///         Ok(Self(ctx.credentials::<Account>("telegram").await?.account_id))
///     }
/// }
///
/// #[poller(kind = "hello", publish = ["plugin.outbound.telegram.*"], main = false)]
/// async fn hello(ctx: &PollContext, account: TelegramAccount) -> Result<TickAck, PollerError> {
///     ctx.publish(&format!("plugin.outbound.telegram.{}", account.0), &json!({"to": "me", "text": "hello"})).await?;
///     Ok(TickAck::new())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a poller",
    label = "not an extractor",
    note = "arguments are `&PollContext`, `Config<T>`, `Cursor<T>`, `State<T>`, `CancellationToken`, or a type of yours \
            that implements `FromTick`"
)]
pub trait FromTick<'t>: Sized {
    /// Checks the part of a job's config that this argument reads, when the job is loaded.
    ///
    /// # Errors
    /// [`PollerError::Config`], with a message that names the field.
    fn validate(config: &Value) -> Result<(), PollerError> {
        let _ = config;
        Ok(())
    }

    /// The JSON Schema of the config that this argument reads, if it reads one.
    #[must_use]
    fn config_schema() -> Option<Schema> {
        None
    }

    /// Builds the argument for one tick.
    ///
    /// # Errors
    /// Any [`PollerError`]; the tick ends with it before the function is called.
    fn from_tick(ctx: &'t PollContext) -> impl Future<Output = Result<Self, PollerError>> + Send;

    /// What `#[poller]` calls. The future of [`from_tick`](Self::from_tick) has no name, so the compiler looks it up in
    /// the impl wherever it is awaited, and would demand the bounds of that impl (`T: JobConfig`) a second time there.
    #[doc(hidden)]
    fn from_tick_boxed(ctx: &'t PollContext) -> Pin<Box<dyn Future<Output = Result<Self, PollerError>> + Send + 't>>
    where
        Self: 't,
    {
        Box::pin(Self::from_tick(ctx))
    }
}

impl<'t> FromTick<'t> for &'t PollContext {
    fn from_tick(ctx: &'t PollContext) -> impl Future<Output = Result<Self, PollerError>> + Send {
        ready(Ok(ctx))
    }
}

impl FromTick<'_> for CancellationToken {
    fn from_tick(ctx: &PollContext) -> impl Future<Output = Result<Self, PollerError>> + Send {
        ready(Ok(ctx.cancel.clone()))
    }
}
