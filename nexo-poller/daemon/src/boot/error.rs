use std::io;

use nexo_poller::broker::BrokerError;
use nexo_poller::runner::{RegistryError, RunnerError};
use nexo_poller::store::StoreError;

use crate::api::ListenersError;
use crate::cluster::many_machines::ClusterError;
use crate::config::NotRead;
use crate::config::state_folder::StateFolderError;
use crate::core::exit::Exit;
use crate::core::loaded_config::LoadError;

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    #[error("signals: {0}")]
    Signals(#[source] io::Error),
    #[error("the daemon does not start:\n{0}")]
    Config(#[from] LoadError),
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    #[error(transparent)]
    NotRead(#[from] NotRead),
    #[error(transparent)]
    Listeners(#[from] ListenersError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever opened the store has panicked.
    #[error("the job state could not be opened")]
    StoreTask(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Kinds(#[from] RegistryError),
    /// The channel `console` cannot be listened to.
    #[error(transparent)]
    Console(#[from] BrokerError),
    #[error("nothing can be printed: {0}")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl BootError {
    /// How the program ends because of it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Config,
            _ => Exit::Failed,
        }
    }
}
