use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::ticks::TickRunner;
use super::{TickServer, orphans};
use crate::broker::stdio::{Hello, SessionEnd, StdioBroker};
use crate::manifest::Manifest;

/// How long ticks may take to end once the daemon is gone: nobody reads their answers, and the process must be away
/// within two seconds.
pub(super) const GRACE_WITHOUT_DAEMON: Duration = Duration::from_millis(1500);

/// Serves the daemon at the other end of `input` and `output` until it says `shutdown` or is gone.
///
/// # Errors
/// A sentence on why there was nothing to serve.
pub(super) async fn serve(
    input: impl Read + Send + 'static,
    output: File,
    ticks: TickRunner,
    manifest: Manifest,
) -> Result<(), String> {
    let plugin_id = manifest.plugin.id.clone();
    let server_version = format!("{plugin_id}-{}", manifest.plugin.version);
    let (listening, listens) = channel();
    let heard = Arc::new(AtomicBool::new(false));
    let input = Held { input, listens: Some(listens), heard: Arc::clone(&heard) };
    let (broker, mut session) = StdioBroker::start(input, output, Hello { manifest: manifest.clone(), server_version });

    let server = TickServer::new(Arc::new(broker), Arc::new(ticks), &manifest);
    let orders = server.listen().await.map_err(|error| format!("plugin `{plugin_id}`: no tick can arrive: {error}"))?;
    // The reader may be gone where no thread could be started; `ended` tells.
    let _ = listening.send(());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.answer_all(orders, async { drop(stopped.await) });
    let mut serving = std::pin::pin!(serving);
    let mut served = false;
    let end = tokio::select! {
        end = session.ended() => end,
        // Closed input closes the broker as well; why it was closed is what counts.
        () = &mut serving => {
            served = true;
            session.ended().await
        }
    };
    drop(stop);
    match end {
        SessionEnd::Shutdown { .. } => {
            if !served {
                serving.await;
            }
            // A daemon that does not wait for the acknowledgement needs none.
            let _ = session.acknowledge();
            Ok(())
        }
        SessionEnd::InputFailed { reason } => Err(format!("plugin `{plugin_id}`: stdin cannot be read: {reason}")),
        SessionEnd::InputClosed if !heard.load(Ordering::Relaxed) => Err(format!(
            "plugin `{plugin_id}`: stdin ended before a daemon said `initialize`; a daemon starts this binary with pipes, \
             `once` runs one tick by hand, --help shows more"
        )),
        SessionEnd::InputClosed => {
            if !served {
                let _ = timeout(GRACE_WITHOUT_DAEMON, serving).await;
            }
            orphans::end_with_children();
            Ok(())
        }
    }
}

/// The daemon's input, held back until ticks are listened for: the first one may come right after the handshake, and
/// would be lost.
struct Held<R> {
    input: R,
    /// Taken once the first message has come through it.
    listens: Option<Receiver<()>>,
    heard: Arc<AtomicBool>,
}

impl<R: Read> Read for Held<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(listens) = self.listens.take() {
            // An error means that serving was given up; the process is about to exit.
            let _ = listens.recv();
        }
        let length = self.input.read(buffer)?;
        if length > 0 {
            self.heard.store(true, Ordering::Relaxed);
        }
        Ok(length)
    }
}
