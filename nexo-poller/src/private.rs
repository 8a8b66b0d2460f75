//! What only the expansion of `#[poller]` uses: logic lives here rather than in quoted tokens.

use std::pin::Pin;

use schemars::Schema;
use serde_json::{Map, Value};

use crate::contract::{PollerError, TickAck};

/// What [`Poller::tick`](crate::contract::Poller::tick) returns once `async_trait` is written out.
pub type TickFuture<'a> = Pin<Box<dyn Future<Output = Result<TickAck, PollerError>> + Send + 'a>>;

/// What a poller function may return.
#[diagnostic::on_unimplemented(
    message = "a poller returns `Result<TickAck, PollerError>`, not `{Self}`",
    label = "expected `Result<TickAck, PollerError>`",
    note = "`?` turns a `HostError` into a `PollerError`; `.transient(…)` and `.permanent(…)` do it for any other error"
)]
pub trait TickOutcome {
    /// As the trait wants it.
    #[expect(clippy::missing_errors_doc, reason = "the identity")]
    fn into_outcome(self) -> Result<TickAck, PollerError>;
}

impl TickOutcome for Result<TickAck, PollerError> {
    fn into_outcome(self) -> Self {
        self
    }
}

/// One schema for a config that several arguments read.
pub fn all_of<const N: usize>(schemas: [Option<Schema>; N]) -> Option<Schema> {
    let mut schemas: Vec<Schema> = schemas.into_iter().flatten().collect();
    match schemas.len() {
        0 | 1 => schemas.pop(),
        _ => {
            let mut whole = Map::new();
            whole.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
            for (index, schema) in schemas.iter_mut().enumerate() {
                schema.remove("$schema");
                // So that its references (`#/$defs/…`) stay its own.
                schema.insert("$id".to_owned(), format!("urn:nexo-poller:config:{index}").into());
            }
            whole.insert("allOf".to_owned(), schemas.into_iter().map(Value::from).collect());
            Some(whole.into())
        }
    }
}
