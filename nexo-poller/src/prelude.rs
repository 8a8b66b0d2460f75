//! What a poller's `main.rs` needs: `use nexo_poller::prelude::*;`.

pub use async_trait::async_trait;
pub use chrono::{DateTime, Utc};
pub use schemars::JsonSchema;
pub use serde::{Deserialize, Serialize};
pub use serde_json::{Value, json};
pub use tokio_util::sync::CancellationToken;

pub use crate::contract::{
    Config, Cursor, Deliver, FromTick, HostError, HttpStatus, LlmInvokeRequest, LlmInvokeResponse, LlmMessage,
    LogLevel, MessageTemplate, PollContext, Poller, PollerError, PollerHost, ResultExt, State, TemplateFields, TickAck,
    TickMetrics, WarmState, read_retry_after,
};
pub use crate::plugin::PollerHandler;
pub use crate::poller;
