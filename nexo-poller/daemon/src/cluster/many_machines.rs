use std::path::PathBuf;
use std::sync::Arc;

use nexo_poller::broker::{BrokerError, NatsBroker, NatsOptions};
use nexo_poller::runner::{RunnerOptions, Sharing};
use nexo_poller::unstable::open_regular_file;

use super::membership::{ANY_MEMBER_AFTER, JoinedMember, Membership};
use crate::config::{BrokerSettings, NotRead, off_runtime};

/// In whose name the daemon connects.
const NAME: &str = "daemon";

/// Why the other machines cannot be reached. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("`broker`: {0}")]
    Broker(#[from] BrokerError),
    #[error("`broker`: {} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("`broker`: {0}")]
    NotRead(#[from] NotRead),
    #[error("`broker`: the other daemons cannot be heard: {0}")]
    Members(#[source] BrokerError),
}

/// Connects to the broker that the settings name, with what the environment says of users and certificates.
///
/// # Errors
/// [`ClusterError`] where it cannot be used.
pub(crate) async fn connect(settings: Option<&BrokerSettings>) -> Result<Option<NatsBroker>, ClusterError> {
    let Some(settings) = settings else { return Ok(None) };
    let mut options = NatsOptions::new(&settings.url)?.with_environment()?.with_name(NAME);
    if !settings.stored.is_empty() {
        options = options.with_stored(settings.stored.clone());
    }
    let pair = options.certificate.clone().map(|(certificate, key)| [certificate, key]);
    let files = [options.credentials.clone(), options.ca.clone()].into_iter().flatten();
    let files: Vec<PathBuf> = files.chain(pair.into_iter().flatten()).collect();
    off_runtime("the broker's credentials", move || files.into_iter().try_for_each(usable)).await??;
    let servers = options.servers();
    let broker = NatsBroker::connect(options).await?;
    tracing::info!(servers, "this daemon shares its broker with other machines");
    Ok(Some(broker))
}

/// Whether the file at `path` can be read without waiting for somebody who writes it.
fn usable(path: PathBuf) -> Result<(), ClusterError> {
    open_regular_file(&path).map(drop).map_err(|source| ClusterError::File { path, source })
}

/// Joins the daemons that have the same bucket, where job state is in one, and makes `options` share with them.
///
/// # Errors
/// [`ClusterError`] where they cannot be listened to.
pub(crate) async fn join(
    settings: Option<&BrokerSettings>,
    broker: Option<&NatsBroker>,
    options: &mut RunnerOptions,
) -> Result<Option<JoinedMember>, ClusterError> {
    let (Some(broker), Some(state)) = (broker, settings.and_then(|settings| settings.state.as_ref())) else {
        return Ok(None);
    };
    let sharing = Arc::new(Sharing::new(&options.owner, ANY_MEMBER_AFTER));
    options.sharing = Some(Arc::clone(&sharing));
    let joined = Membership::join(Arc::new(broker.clone()), &state.bucket, sharing).await;
    joined.map(Some).map_err(ClusterError::Members)
}
