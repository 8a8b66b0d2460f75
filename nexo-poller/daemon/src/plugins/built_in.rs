//! The kinds that this daemon has without a plugin.

use std::sync::Arc;
use std::time::Duration;

use nexo_poller::builtins::{AgentTurn, WebhookPoll};
use nexo_poller::contract::{Poller, PollerError};
use nexo_poller::manifest::DeclaredPoller;
use nexo_poller::runner::{KindLimits, PollerRegistry, RegistryError};
use serde_json::Value;

/// Who offers them, where plugins name themselves. No plugin can have this id.
pub(crate) const OWNER: &str = "nexo-poller";

pub(crate) struct BuiltIn {
    pub(crate) poller: Arc<dyn Poller>,
    pub(crate) limits: KindLimits,
    /// What its ticks may publish on.
    pub(crate) publish: &'static [&'static str],
    config_schema: Option<schemars::Schema>,
}

impl BuiltIn {
    fn of<P: DeclaredPoller>(poller: P) -> Self {
        let (said, default) = (P::DECLARATION, KindLimits::default());
        let limits = KindLimits::new(
            said.max_concurrent_ticks.map_or(default.max_concurrent_ticks, |most| most as usize),
            said.tick_timeout_secs.map_or(default.tick_timeout, |secs| Duration::from_secs(secs.into())),
        );
        Self { poller: Arc::new(poller), limits, publish: said.publish, config_schema: P::config_schema() }
    }
}

fn all() -> [BuiltIn; 2] {
    [BuiltIn::of(AgentTurn), BuiltIn::of(WebhookPoll)]
}

/// Their names.
pub(crate) fn kinds() -> impl Iterator<Item = &'static str> {
    all().into_iter().map(|built_in| built_in.poller.kind())
}

/// Makes them available to jobs.
///
/// # Errors
/// [`RegistryError`] where one of the kinds is taken.
pub(crate) fn register(registry: &PollerRegistry) -> Result<(), RegistryError> {
    all().into_iter().try_for_each(|built_in| {
        registry.register_publishing(built_in.poller, built_in.limits, built_in.publish.iter().copied())
    })
}

/// The one called `kind`.
pub(crate) fn find(kind: &str) -> Option<BuiltIn> {
    all().into_iter().find(|built_in| built_in.poller.kind() == kind)
}

/// The schema of the config of `kind`; `None` where it is none of them.
pub(crate) fn config_schema(kind: &str) -> Option<Value> {
    find(kind).map(|built_in| built_in.config_schema.map_or(Value::Bool(true), Value::from))
}

/// Whether `kind` takes `config`; `None` where it is none of them.
pub(crate) fn validate(kind: &str, config: &Value) -> Option<Result<(), PollerError>> {
    find(kind).map(|built_in| built_in.poller.validate(config))
}
