use std::net::TcpListener;

use super::{NatsServer, NatsServerError, NatsServerOptions};

/// Several NATS servers that are one: for tests of a lost leader.
#[derive(Debug)]
#[non_exhaustive]
pub struct NatsCluster {
    /// Its servers; each can be killed and started again by itself.
    pub servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// A cluster of `size` servers with JetStream, ready for clients.
    ///
    /// # Errors
    /// [`NatsServerError`], which says how to get the program where it is missing.
    pub fn start(size: usize) -> Result<Self, NatsServerError> {
        // Servers of a cluster must know each other's ports before they start, so these are not theirs to pick.
        let held: Vec<_> = (0..size * 2)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .map_err(NatsServerError::io("no port is free"))?;
        let ports: Vec<u16> = held.iter().filter_map(|held| held.local_addr().ok()).map(|at| at.port()).collect();
        drop(held);
        let (clients, routes) = ports.split_at(size);
        let all: Vec<String> = routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        let mut servers = Vec::with_capacity(size);
        for (number, (client, route)) in clients.iter().zip(routes).enumerate() {
            let config = format!(
                "server_name: n{number}\ncluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{}] }}",
                all.join(", ")
            );
            let options = NatsServerOptions::default().with_config(config).with_port(*client);
            let mut server = NatsServer::prepare(options)?;
            server.spawn()?;
            servers.push(server);
        }
        for server in &mut servers {
            server.wait_until_ready()?;
        }
        Ok(Self { servers })
    }

    /// Where clients connect: every server, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }
}
