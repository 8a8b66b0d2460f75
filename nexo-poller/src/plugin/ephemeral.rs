use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::orphans;
use super::serve::TickServer;
use super::stdio::GRACE_WITHOUT_DAEMON;
use super::ticks::TickRunner;
use crate::broker::stdio::{MAX_LINE, SessionEnd, StdioBroker, StdioSession};
use crate::manifest::Manifest;
use crate::wire::{RpcError, code, error_body};

/// Runs the one tick that a line of `input` asks for and writes the line that answers it. In between, `broker.publish`
/// frames go out and `broker.event` frames come in, so that publishes and calls to the daemon work.
///
/// # Errors
/// Where the request cannot be read, or the answer not be written.
pub(super) async fn one_tick(input: File, output: File, ticks: TickRunner, manifest: &Manifest) -> io::Result<()> {
    let watched = output.try_clone()?;
    let asked = input.try_clone()?;
    // A daemon that could be asked would keep its end open for the answers.
    let is_deaf = move || orphans::has_no_writer(&asked);
    let (broker, mut session, request) = StdioBroker::start_one_tick(input, output, is_deaf);
    let Ok(request) = request.await else { return Err(no_request(&session.ended().await)) };
    let answer = match request.ok().and_then(|line| serde_json::from_str::<Value>(&line).ok()) {
        None => {
            let message = format!("the request is not one JSON line of at most {MAX_LINE} bytes");
            error_body(&RpcError::new(code::PARSE_ERROR, message))
        }
        Some(request) => {
            let ticks = Arc::new(ticks);
            let server = TickServer::new(Arc::new(broker.clone()), Arc::clone(&ticks), manifest);
            tokio::select! {
                answer = server.answer_body(&request, false) => answer,
                never = heed(&mut session, watched, &ticks) => match never {},
            }
        }
    };
    let written = broker.answer_tick(&answer);
    if written.is_err() {
        orphans::end_with_children();
    }
    written.map_err(io::Error::other)
}

/// Why there was nothing to run.
fn no_request(end: &SessionEnd) -> io::Error {
    match end {
        SessionEnd::InputFailed { reason } => io::Error::other(format!("stdin cannot be read: {reason}")),
        _ => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "stdin ended before a request; an ephemeral poller is sent one `poll_tick` line",
        ),
    }
}

/// Cancels the tick where the daemon says so, and ends the process where the daemon is gone.
async fn heed(session: &mut StdioSession, output: File, ticks: &Arc<TickRunner>) -> Infallible {
    while let SessionEnd::Shutdown { .. } = session.ended().await {
        ticks.stop();
    }
    let ticks = Arc::clone(ticks);
    // A plain thread, never joined: it may wait for a daemon that stays. Where there is none, the tick ends at its deadline.
    let _ = std::thread::Builder::new().name("orphan".to_owned()).spawn(move || outlive_nobody(&output, &ticks));
    std::future::pending().await
}

/// Waits until the daemon is gone, gives the tick a moment to end, and ends the process with everything that it has
/// forked.
fn outlive_nobody(output: &File, ticks: &TickRunner) {
    // A daemon that answers no calls closes stdin early, so that the end of stdin says nothing. Where it cannot be told
    // whether somebody reads, the tick ends at its deadline.
    if orphans::wait_until_unread(output).is_ok() {
        ticks.stop();
        std::thread::sleep(GRACE_WITHOUT_DAEMON);
        orphans::end_with_children();
    }
}
