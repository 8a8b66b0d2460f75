use tokio::sync::oneshot;

/// Where an answer goes. Dropped unanswered, it tells the asker that the engine is gone.
pub(crate) type Reply<T> = oneshot::Sender<T>;
