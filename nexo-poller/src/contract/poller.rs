use async_trait::async_trait;
use serde_json::Value;

use super::{PollContext, PollerError, TickAck};

/// One kind of scheduled source connector.
///
/// Most authors never write this impl: `#[poller]` on an async function makes it. By hand it looks like this:
///
/// ```
/// use nexo_poller::prelude::*;
///
/// struct Heartbeat;
///
/// #[async_trait]
/// impl Poller for Heartbeat {
///     fn kind(&self) -> &'static str {
///         "heartbeat"
///     }
///
///     async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
///         ctx.publish("plugin.outbound.console.console", &json!({"to": "ops", "text": "alive"})).await?;
///         Ok(TickAck::new().items(1, 1))
///     }
/// }
/// ```
///
/// A few lines more make a plugin of it; see [`DeclaredPoller`](crate::manifest::DeclaredPoller).
#[async_trait]
pub trait Poller: Send + Sync + 'static {
    /// The name that `kind:` selects in `pollers.yaml`: `^[a-z][a-z0-9_]+$`.
    fn kind(&self) -> &'static str;

    /// One sentence for people: what this poller does.
    fn description(&self) -> &'static str {
        ""
    }

    /// Checks a job's `config` without doing anything. Called when a job is loaded, before its first tick.
    ///
    /// # Errors
    /// [`PollerError::Config`], with a message that names the field and what was expected.
    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        let _ = config;
        Ok(())
    }

    /// One scheduled look at the source: read what is new since `ctx.cursor`, publish it through `ctx.host`, await
    /// each publish, and return the cursor to resume from.
    ///
    /// # Errors
    /// The variant decides what the runner does next: see [`PollerError`]. The cursor does not move on any error.
    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError>;
}
