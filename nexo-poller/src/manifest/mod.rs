//! The plugin manifest, `nexo-plugin.toml`.
//!
//! Lives here: its types, its validation (every rule of the protocol, each with the key it is about), and how a
//! `#[poller]` declaration becomes a manifest.
//!
//! May not enter: brokers, processes, schedules. Imports [`contract`](crate::contract) only.

mod build;
mod declare;
mod document;
mod error;
mod package;
#[cfg(test)]
mod tests;
mod types;
mod validate;

pub use self::build::{DeclarationConflict, manifest_of};
pub use self::declare::{Declaration, DeclaredPoller};
pub(crate) use self::document::{Document, NotToml};
pub use self::error::{ManifestError, ManifestProblem};
pub use self::package::Package;
pub use self::types::{
    BrokerCapability, Capabilities, Entrypoint, Lifecycle, Manifest, PluginSection, PollerSection, Requires,
};
