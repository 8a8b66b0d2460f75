use std::fs::File;
use std::io::{Cursor, ErrorKind, Read as _};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::ticks::TickRunner;
use super::{nats, stdio};
use crate::broker::stdio::asks_who_we_are;
use crate::manifest::Manifest;

/// Where NATS cannot be used, a host that is about to speak has spoken by then.
const HOST_SPEAKS: Duration = Duration::from_secs(5);

/// More than the first line of a host has. What else is written to stdin is not kept.
const MAX_WAITING: usize = 64 * 1024;

/// What a host has said through stdin, and where it goes on.
type Host = (Vec<u8>, File);

/// Serves every daemon on the NATS server at `url` until SIGTERM or SIGINT.
///
/// Some hosts speak to their plugins through stdin although they tell them of a server, and end one that does not answer. So
/// where `input` says `initialize`, NATS is left and that host is served; never both, since each tick might come twice.
///
/// # Errors
/// A sentence on why there was nothing to serve.
pub(super) async fn serve(
    url: &str,
    input: Option<File>,
    output: File,
    ticks: impl Fn() -> TickRunner,
    manifest: Manifest,
) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("plugin `{}`: {error}", manifest.plugin.id);
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(fail)?, signal(SignalKind::interrupt()).map_err(fail)?);
    let mut told_to_end = std::pin::pin!(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    let mut host = std::pin::pin!(host(input));
    let stop = CancellationToken::new();
    let mut served = std::pin::pin!(nats::serve(url, ticks(), &manifest, stop.clone()));
    let mut may_speak = true;
    let (said, input) = loop {
        tokio::select! {
            served = &mut served => match served {
                Err(why) if may_speak => break timeout(HOST_SPEAKS, &mut host).await.ok().flatten().ok_or(why)?,
                ended => return ended,
            },
            () = &mut told_to_end => {
                stop.cancel();
                return served.await;
            }
            heard = &mut host, if may_speak => match heard {
                Some(host) => {
                    stop.cancel();
                    // Before `initialize` is answered: from then on that host sends the ticks. How NATS was does not matter.
                    let _ = served.as_mut().await;
                    break host;
                }
                None => may_speak = false,
            },
        }
    };
    let served = stdio::serve(Cursor::new(said).chain(input), output, ticks(), manifest.clone());
    tokio::select! {
        served = served => served,
        () = &mut told_to_end => Ok(()),
    }
}

/// Waits until a host has said `initialize`; `None` where none can.
async fn host(input: Option<File>) -> Option<Host> {
    let input = input?;
    let (sender, host) = oneshot::channel();
    // A plain thread, never joined: it may wait for input that does not come while the process ends.
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            if let Some(host) = listen(input) {
                // Whoever served may have ended by now.
                let _ = sender.send(host);
            }
        })
        .ok()?;
    host.await.ok()
}

/// Reads until a line asks who we are; that line is the first one of what is returned.
fn listen(mut input: File) -> Option<Host> {
    let (mut said, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return None,
            Ok(length) => said.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return None,
        }
        while let Some(end) = said.iter().position(|byte| *byte == b'\n') {
            if std::str::from_utf8(&said[..end]).is_ok_and(asks_who_we_are) {
                return Some((said, input));
            }
            said.drain(..=end);
        }
        if said.len() > MAX_WAITING {
            said.clear();
        }
    }
}
