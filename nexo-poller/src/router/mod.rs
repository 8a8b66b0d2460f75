//! Plugins as pollers (feature `router`): finding binaries, starting and supervising their processes, and asking them for ticks.
//!
//! [`discover`] looks for plugins, [`Supervisor`] keeps one running, and [`PluginPollerRouter`] makes each kind of a plugin an ordinary
//! [`Poller`](crate::contract::Poller), so that whoever runs ticks does not see a difference. [`serve_calls`] answers what plugins ask.

mod binary;
mod calls;
mod discover;
mod environment;
mod ephemeral;
mod guardian;
mod in_flight;
mod kinds;
mod link;
#[cfg_attr(not(feature = "unstable"), expect(unreachable_pub, reason = "our daemon judges its own folders by it"))]
pub(crate) mod outsider;
mod proxy;
mod registry;
#[cfg_attr(not(feature = "unstable"), expect(unreachable_pub, reason = "public for our daemon alone"))]
pub(crate) mod regular_file;
mod relay;
mod supervisor;
mod tick_faults;
mod trust;

pub use self::binary::PluginBinary;
pub use self::calls::serve_calls;
pub use self::discover::{DiscoverError, discover, discover_in};
pub use self::environment::PluginEnvironment;
pub use self::ephemeral::EphemeralPollerProxy;
pub use self::guardian::{guard, set_guardian};
pub use self::in_flight::InFlight;
pub use self::link::PluginLink;
pub use self::proxy::PluginPollerProxy;
pub use self::registry::{PluginKind, PluginPollerRouter, PollerRouteRegistrationError};
pub use self::relay::serve_relayed_calls;
pub use self::supervisor::{PluginState, PluginStatus, ProcessGroup, RestartPolicy, Supervisor, SupervisorOptions};
pub use self::trust::UntrustedPath;
