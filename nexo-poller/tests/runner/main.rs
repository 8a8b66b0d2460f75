//! The runner for as long, and as badly treated, as a unit test does not have it.

#[cfg(feature = "sqlite")]
mod killed;
#[cfg(feature = "runner")]
#[path = "../../benches/support/no_host.rs"]
mod no_host;
#[cfg(feature = "runner")]
#[path = "../../../nexo-poller-testkit/tests/outside/own_process.rs"]
mod own_process;
#[cfg(all(feature = "runner", feature = "router"))]
mod rolling;
#[cfg(all(feature = "runner", feature = "sqlite"))]
mod shared_file;
#[cfg(feature = "runner")]
mod soak;
#[cfg(feature = "runner")]
mod spans;
