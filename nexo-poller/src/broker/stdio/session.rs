use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::output::Output;
use super::rpc::result;
use crate::broker::BrokerError;

/// How the bridge ends, seen from the plugin.
#[derive(Debug)]
pub struct StdioSession {
    ends: mpsc::Receiver<Ended>,
    output: Output,
    shutdown_id: Option<Value>,
}

/// Why the bridge ended, and the id of the request that wants to know when everything is finished.
pub(super) type Ended = (SessionEnd, Option<Value>);

/// Why the bridge ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The daemon asked for it: finish what runs, then [`acknowledge`](StdioSession::acknowledge).
    Shutdown {
        /// What the daemon said.
        reason: String,
    },
    /// Stdin is at its end: the daemon is gone.
    InputClosed,
    /// Stdin cannot be read.
    InputFailed {
        /// What the operating system said.
        reason: String,
    },
}

impl StdioSession {
    pub(super) fn new(ends: mpsc::Receiver<Ended>, output: Output) -> Self {
        Self { ends, output, shutdown_id: None }
    }

    /// Waits until the bridge ends.
    pub async fn ended(&mut self) -> SessionEnd {
        match self.ends.recv().await {
            Some((end, id)) => {
                self.shutdown_id = id.or(self.shutdown_id.take());
                end
            }
            None => SessionEnd::InputClosed,
        }
    }

    /// Tells the daemon that everything is finished and the process is about to exit.
    ///
    /// # Errors
    /// [`BrokerError::Closed`] where the daemon is gone; nobody needs the answer then.
    pub fn acknowledge(&mut self) -> Result<(), BrokerError> {
        match self.shutdown_id.take() {
            Some(id) => self.output.write(&result(&id, &json!({"ok": true}))),
            None => Ok(()),
        }
    }
}
