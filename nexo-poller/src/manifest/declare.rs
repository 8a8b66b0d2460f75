use schemars::Schema;

use super::{Lifecycle, Package};
use crate::contract::Poller;

/// A poller that knows what it is called and what it needs: what `#[poller]` makes from its arguments and from the
/// identity of the author's own crate. With it a [`Poller`] that is written by hand is a plugin, and has the whole testkit:
///
/// ```no_run
/// use nexo_poller::manifest::{Declaration, DeclaredPoller};
/// use nexo_poller::prelude::*;
///
/// struct Heartbeat;
///
/// impl DeclaredPoller for Heartbeat {
///     const DECLARATION: Declaration =
///         Declaration::new("heartbeat", nexo_poller::package!()).publish(&["plugin.outbound.>"]);
/// }
///
/// fn main() -> std::process::ExitCode {
///     PollerHandler::new().with(Heartbeat).main()
/// }
/// # #[async_trait]
/// # impl Poller for Heartbeat {
/// #     fn kind(&self) -> &'static str { "heartbeat" }
/// #     async fn tick(&self, _: &PollContext) -> Result<TickAck, PollerError> { Ok(TickAck::new()) }
/// # }
/// ```
pub trait DeclaredPoller: Poller + Sized {
    /// Everything that a manifest says of it.
    const DECLARATION: Declaration;

    /// The JSON Schema of the kind's config, where one of the function's arguments reads the config. By hand it is that of the
    /// [`Config<T>`](crate::contract::Config) that the poller reads: `<Config<T> as FromTick>::config_schema()`.
    #[must_use]
    fn config_schema() -> Option<Schema> {
        None
    }
}

/// What a poller needs, and who wrote it. What is not said has the default of the protocol.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Declaration {
    /// The kind.
    pub kind: &'static str,
    /// One sentence for people: the function's doc comment.
    pub description: &'static str,
    /// Topics that ticks publish on, as patterns.
    pub publish: &'static [&'static str],
    /// Topics that the plugin listens to besides its ticks.
    pub subscribe: &'static [&'static str],
    /// How the daemon runs the plugin.
    pub lifecycle: Option<Lifecycle>,
    /// How many ticks of this kind may run at once, 1 to 64.
    pub max_concurrent_ticks: Option<u32>,
    /// How long one tick may take, 1 to 3600 seconds.
    pub tick_timeout_secs: Option<u32>,
    /// The plugin's id, where it is not the kind.
    pub plugin_id: Option<&'static str>,
    /// The plugin's name for people.
    pub name: Option<&'static str>,
    /// The broker topic prefix, where it is not `plugin.poller.<plugin id>`.
    pub topic_prefix: Option<&'static str>,
    /// The daemon versions it works with, as a semver requirement.
    pub min_nexo_version: Option<&'static str>,
    /// The author's crate.
    pub package: Package,
}

impl Declaration {
    /// A poller of the kind `kind` in `package`, which [`package!`](crate::package) names. It publishes on no topic.
    #[must_use]
    pub const fn new(kind: &'static str, package: Package) -> Self {
        Self {
            kind,
            description: "",
            publish: &[],
            subscribe: &[],
            lifecycle: None,
            max_concurrent_ticks: None,
            tick_timeout_secs: None,
            plugin_id: None,
            name: None,
            topic_prefix: None,
            min_nexo_version: None,
            package,
        }
    }

    /// One sentence for people, where [`Poller::description`] is not the one.
    #[must_use]
    pub const fn description(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Topics that ticks publish on, as patterns: `plugin.outbound.>`. Others than messages to channels the operator has to allow.
    #[must_use]
    pub const fn publish(mut self, patterns: &'static [&'static str]) -> Self {
        self.publish = patterns;
        self
    }

    /// Topics that the plugin listens to besides its ticks, as patterns. The operator has to allow them.
    #[must_use]
    pub const fn subscribe(mut self, patterns: &'static [&'static str]) -> Self {
        self.subscribe = patterns;
        self
    }

    /// How the daemon runs the plugin: one process for many ticks, unless this says otherwise.
    #[must_use]
    pub const fn lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = Some(lifecycle);
        self
    }

    /// How many ticks of this kind may run at once: 1 to 64, 1 by default.
    #[must_use]
    pub const fn max_concurrent_ticks(mut self, ticks: u32) -> Self {
        self.max_concurrent_ticks = Some(ticks);
        self
    }

    /// How long one tick may take: 1 to 3600 seconds, 60 by default.
    #[must_use]
    pub const fn tick_timeout_secs(mut self, seconds: u32) -> Self {
        self.tick_timeout_secs = Some(seconds);
        self
    }

    /// The plugin's id, where it is not the kind: pollers that share a plugin name the same.
    #[must_use]
    pub const fn plugin_id(mut self, id: &'static str) -> Self {
        self.plugin_id = Some(id);
        self
    }

    /// The plugin's name for people.
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The broker topic prefix, where it is not `plugin.poller.<plugin id>`.
    #[must_use]
    pub const fn topic_prefix(mut self, prefix: &'static str) -> Self {
        self.topic_prefix = Some(prefix);
        self
    }

    /// The daemon versions that it works with, as a semver requirement.
    #[must_use]
    pub const fn min_nexo_version(mut self, requirement: &'static str) -> Self {
        self.min_nexo_version = Some(requirement);
        self
    }
}
