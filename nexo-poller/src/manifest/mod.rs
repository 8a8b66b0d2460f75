//! `nexo-plugin.toml`, the manifest of a plugin: what it is called, which kinds it serves, and what it asks to publish.
//!
//! [`Manifest::parse`] reads and validates one; each error names the key and what was expected. A poller's binary prints its own with
//! `--print-manifest`: [`manifest_of`] makes it from what `#[poller]`, or a [`Declaration`] by hand, says.

mod build;
mod declare;
mod document;
mod error;
#[cfg(feature = "router")]
mod overlap;
mod package;
#[cfg(feature = "router")]
mod rights;
#[cfg(test)]
mod tests;
mod types;
mod validate;

pub use self::build::{DeclarationConflict, manifest_of};
pub use self::declare::{Declaration, DeclaredPoller};
pub(crate) use self::document::{Document, NotToml};
pub use self::error::{ManifestError, ManifestProblem};
#[cfg(feature = "router")]
pub use self::overlap::PrefixOverlap;
pub use self::package::Package;
#[cfg(feature = "router")]
pub use self::rights::{PluginGrants, PluginRights, Withheld};
pub use self::types::{
    BrokerCapability, Capabilities, Entrypoint, Lifecycle, Manifest, PluginSection, PollerSection, Requires,
};
