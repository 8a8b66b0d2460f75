use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::parent_error::CloseReason;

/// Lines that may wait for a plugin which does not read its stdin.
const QUEUE: usize = 1024;

/// As many waiting lines as one write takes.
const BATCH: usize = 64;

/// The daemon's side of a plugin's stdin: a bounded queue and the task that empties it.
#[derive(Debug, Clone)]
pub(super) struct Outgoing(mpsc::Sender<Vec<u8>>);

/// The queue is full: the plugin does not read.
#[derive(Debug)]
pub(super) struct NotReading;

impl Outgoing {
    /// Starts the task; it ends with the queue or with the pipe, and says so on `closed`. A pipe that is full and stays open holds it
    /// until it is aborted.
    pub(super) fn start(
        mut pipe: impl AsyncWrite + Unpin + Send + 'static,
        closed: watch::Sender<Option<CloseReason>>,
    ) -> (Self, AbortHandle) {
        let (sender, mut queue) = mpsc::channel::<Vec<u8>>(QUEUE);
        let writing = tokio::spawn(async move {
            let mut waiting = Vec::with_capacity(BATCH);
            while queue.recv_many(&mut waiting, BATCH).await > 0 {
                // Lines that came together go out in one write.
                let batch = if waiting.len() == 1 { waiting.pop().unwrap_or_default() } else { waiting.concat() };
                waiting.clear();
                let written = match pipe.write_all(&batch).await {
                    Ok(()) => pipe.flush().await,
                    failed => failed,
                };
                if let Err(error) = written {
                    let reason = CloseReason::InputClosed(error.to_string());
                    closed.send_if_modified(|known| known.is_none().then(|| *known = Some(reason)).is_some());
                    return;
                }
            }
        });
        (Self(sender), writing.abort_handle())
    }

    /// Adds a line without waiting.
    pub(super) fn send(&self, line: Vec<u8>) -> Result<(), NotReading> {
        self.0.try_send(line).map_err(|_| NotReading)
    }
}
