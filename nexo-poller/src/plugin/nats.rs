use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};

use super::ticks::TickRunner;
use super::{TickServer, notice};
use crate::broker::{NatsBroker, NatsOptions};
use crate::manifest::Manifest;

/// Serves every daemon on the NATS server at `url` until SIGTERM or SIGINT. More copies of the plugin share its ticks. A
/// connection that is lost is waited for.
///
/// # Errors
/// A sentence on why there was nothing to serve.
pub(super) async fn serve(url: &str, ticks: TickRunner, manifest: &Manifest) -> Result<(), String> {
    let id = manifest.plugin.id.clone();
    let fail = |error: &dyn std::fmt::Display| format!("plugin `{id}`: {error}");
    let unusable = |error: &dyn std::fmt::Display| format!("plugin `{id}`: NEXO_BROKER_URL: {error}");
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate()).map_err(|error| fail(&error))?,
        signal(SignalKind::interrupt()).map_err(|error| fail(&error))?,
    );
    let options = NatsOptions::new(url).and_then(NatsOptions::with_environment).map_err(|error| unusable(&error))?;
    let servers = options.servers();
    let broker = NatsBroker::connect(options.with_name(&id)).await.map_err(|error| unusable(&error))?;
    let server = TickServer::new(Arc::new(broker.clone()), Arc::new(ticks), manifest);
    let orders = server.listen().await.map_err(|error| fail(&error))?;
    notice::say(&format!("plugin `{id}` {} serves ticks from {servers}", manifest.plugin.version));
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.answer_all(orders, stop).await;
    broker.close().await;
    Ok(())
}
