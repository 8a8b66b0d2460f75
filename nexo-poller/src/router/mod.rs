//! Plugins as pollers: everything between the daemon and the processes that serve its kinds.
//!
//! Lives here: finding plugins, starting and supervising them, [`PluginPollerRouter`] with the proxies that make a
//! plugin's kind an ordinary [`Poller`](crate::contract::Poller), and the server of their calls to the daemon.
//!
//! May not enter: schedules and stores (whoever runs ticks sees a `Poller`), what a host does. Imports
//! [`broker`](crate::broker), [`wire`](crate::wire), [`manifest`](crate::manifest) and [`contract`](crate::contract).

mod binary;
mod calls;
mod discover;
mod ephemeral;
mod in_flight;
mod kinds;
mod link;
mod proxy;
mod registry;
mod relay;
mod supervisor;

pub use self::binary::PluginBinary;
pub use self::calls::serve_calls;
pub use self::discover::{DiscoverError, discover};
pub use self::ephemeral::EphemeralPollerProxy;
pub use self::in_flight::InFlight;
pub use self::link::PluginLink;
pub use self::proxy::PluginPollerProxy;
pub use self::registry::{PluginKind, PluginPollerRouter, PollerRouteRegistrationError};
pub use self::relay::serve_relayed_calls;
pub use self::supervisor::{PluginState, PluginStatus, ProcessGroup, RestartPolicy, Supervisor, SupervisorOptions};
