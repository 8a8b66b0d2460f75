//! A real NATS server for a test: started on a free port, gone with the test.

mod binary;
mod cluster;
mod error;
mod process;
mod server;

pub use self::cluster::NatsCluster;
pub use self::error::NatsServerError;
pub use self::server::{NatsServer, NatsServerOptions};
