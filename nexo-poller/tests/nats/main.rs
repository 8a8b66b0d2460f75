//! Many machines, with a real NATS server.

#[cfg(all(feature = "jetstream", feature = "router"))]
mod bridged;
#[cfg(feature = "nats")]
mod broker;
#[cfg(all(feature = "jetstream", feature = "router"))]
mod interop;
#[cfg(feature = "jetstream")]
mod jetstream_store;
#[cfg(all(feature = "jetstream", feature = "router"))]
#[path = "../../benches/support/no_host.rs"]
mod no_host;
#[cfg(all(feature = "jetstream", feature = "router"))]
mod outbound;
