use super::file::BrokerSettings;
use crate::broker::{NatsBroker, NatsOptions};

/// In whose name the daemon connects.
const NAME: &str = "daemon";

/// Connects to the broker that the settings name, with what the environment says of users and certificates.
///
/// # Errors
/// A sentence without secrets.
pub(super) async fn connect(settings: Option<&BrokerSettings>) -> Result<Option<NatsBroker>, String> {
    let Some(settings) = settings else { return Ok(None) };
    let options = NatsOptions::new(&settings.url).and_then(NatsOptions::with_environment);
    let mut options = options.map_err(|error| format!("`broker`: {error}"))?.with_name(NAME);
    if !settings.stored.is_empty() {
        options = options.with_stored(settings.stored.clone());
    }
    let servers = options.servers();
    let broker = NatsBroker::connect(options).await.map_err(|error| format!("`broker`: {error}"))?;
    tracing::info!(servers, "this daemon shares its broker with other machines");
    Ok(Some(broker))
}
