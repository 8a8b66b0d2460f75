use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::ticks::TickRunner;
use super::{TickServer, notice};
use crate::broker::{NatsBroker, NatsOptions};
use crate::manifest::Manifest;

/// Serves every daemon on the NATS server at `url` until `stop`. More copies of the plugin share its ticks. A connection that is
/// lost is waited for.
///
/// # Errors
/// A sentence on why there was nothing to serve.
pub(super) async fn serve(
    url: &str,
    ticks: TickRunner,
    manifest: &Manifest,
    stop: CancellationToken,
) -> Result<(), String> {
    let id = manifest.plugin.id.clone();
    let fail = |error: &dyn std::fmt::Display| format!("plugin `{id}`: {error}");
    let unusable = |error: &dyn std::fmt::Display| format!("plugin `{id}`: NEXO_BROKER_URL: {error}");
    let options = NatsOptions::new(url).and_then(NatsOptions::with_environment).map_err(|error| unusable(&error))?;
    let servers = options.servers();
    let connecting = NatsBroker::connect(options.with_name(&id));
    let Some(broker) = stop.run_until_cancelled(connecting).await else { return Ok(()) };
    let broker = broker.map_err(|error| unusable(&error))?;
    let server = TickServer::new(Arc::new(broker.clone()), Arc::new(ticks), manifest);
    let Some(orders) = stop.run_until_cancelled(server.listen()).await else { return Ok(()) };
    let orders = orders.map_err(|error| fail(&error))?;
    notice::say(&format!("plugin `{id}` {} serves ticks from {servers}", manifest.plugin.version));
    server.answer_all(orders, stop.cancelled()).await;
    broker.close().await;
    Ok(())
}
