use schemars::Schema;

use super::Lifecycle;
use crate::contract::Poller;

/// A poller that knows what it is called and what it needs: what `#[poller]` makes from its arguments and from the
/// identity of the author's own crate.
pub trait DeclaredPoller: Poller + Sized {
    /// Everything the macro was told.
    const DECLARATION: Declaration;

    /// The JSON Schema of the kind's config, where one of the function's arguments reads the config.
    #[must_use]
    fn config_schema() -> Option<Schema> {
        None
    }
}

/// What `#[poller(…)]` says, and who wrote it. `None` is "not said": the default of the protocol.
#[derive(Debug, Clone, Copy)]
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

/// The author's crate, as Cargo told the compiler.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// `CARGO_PKG_NAME`.
    pub name: &'static str,
    /// `CARGO_PKG_VERSION`.
    pub version: &'static str,
    /// `CARGO_PKG_DESCRIPTION`.
    pub description: &'static str,
    /// `CARGO_BIN_NAME`, where the poller stands in a binary.
    pub bin: Option<&'static str>,
}
