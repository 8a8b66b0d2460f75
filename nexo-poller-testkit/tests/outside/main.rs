//! What reaches out of the test's own process: binaries, HTTP and NATS servers, and the suite that judges a poller with them.

#[cfg(feature = "conformance")]
mod conformance;
#[cfg(feature = "http")]
mod dropped;
#[cfg(feature = "conformance")]
mod guide_conformance;
#[cfg(feature = "process")]
mod hosts;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "nats")]
mod nats_server;
#[cfg(feature = "http")]
mod own_process;
#[cfg(feature = "process")]
mod process;
