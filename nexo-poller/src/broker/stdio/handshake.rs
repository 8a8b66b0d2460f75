use serde_json::json;
use tokio::io::AsyncRead;

use super::lines::{Lines, NOISE, describe};
use super::methods::{INITIALIZE, Initialize};
use super::options::ParentOptions;
use super::outgoing::Outgoing;
use super::parent_error::StdioError;
use super::rpc::{Frame, FrameKind, request};
use crate::contract::Pattern;
use crate::manifest::Manifest;
use crate::wire::RpcError;

/// Asks the child who it is; the manifest that is in force, validated.
pub(super) async fn handshake<R: AsyncRead + Unpin>(
    lines: &mut Lines<R>,
    outgoing: &Outgoing,
    options: &ParentOptions,
) -> Result<Manifest, StdioError> {
    let id = json!(1);
    // A queue that was made just now has room.
    let ask = Initialize { nexo_version: options.nexo_version.as_str().into() };
    let _ = outgoing.send(request(&id, INITIALIZE, &ask));
    let mut skipped = 0;
    let answer = async {
        loop {
            while let Some(line) = lines.framer.next_line() {
                let frame = line.as_ref().ok().and_then(|line| Frame::read(line));
                match frame {
                    Some(FrameKind::Response { id: found, outcome }) if found == id => {
                        return Ok(outcome.map(|raw| raw.get().to_owned()).map_err(|raw| raw.get().to_owned()));
                    }
                    Some(FrameKind::Response { id: found, .. }) => {
                        return Err(StdioError::WrongId { expected: id.to_string(), found: found.to_string() });
                    }
                    // A well-behaved plugin says nothing before the handshake; what it says is not for us yet.
                    Some(_) => {}
                    None => {
                        skipped += 1;
                        options.observer.bad_line(&options.label, &describe(line.err()));
                    }
                }
            }
            if !lines.fill(skipped >= NOISE).await? {
                return Err(StdioError::Closed { skipped });
            }
        }
    };
    let answer = match tokio::time::timeout(options.handshake_timeout, answer).await {
        Ok(answer) => answer?,
        Err(_) => return Err(StdioError::NoAnswer { after: options.handshake_timeout, skipped }),
    };
    let result = answer.map_err(|error| StdioError::Refused {
        message: RpcError::read(&serde_json::from_str(&error).unwrap_or_default()).message,
    })?;
    let manifest = Manifest::from_handshake(&result, &format!("the handshake of {}", options.label))?;
    match &options.found {
        Some(found) => agree(found, &manifest).map(|()| found.clone()),
        None => Ok(manifest),
    }
}

/// Whether what the child says of itself is within what it was found by.
fn agree(found: &Manifest, said: &Manifest) -> Result<(), StdioError> {
    let (found, said) = (&found.plugin, &said.plugin);
    if found.id != said.id {
        return Err(StdioError::OtherPlugin { expected: found.id.clone(), found: said.id.clone() });
    }
    let (may, wants) = (&found.capabilities.broker, &said.capabilities.broker);
    for (list, may, wants) in
        [("publish", &may.publish, &wants.publish), ("subscribe", &may.subscribe, &wants.subscribe)]
    {
        if let Some(topic) = wants.iter().find(|topic| !within(topic, may)) {
            return Err(StdioError::AsksForMore { list, topic: topic.clone(), allowed: may.join(", ") });
        }
    }
    Ok(())
}

fn within(topic: &str, allowed: &[String]) -> bool {
    let Ok(topic) = topic.parse::<Pattern>() else { return false };
    allowed.iter().filter_map(|allowed| allowed.parse::<Pattern>().ok()).any(|allowed| allowed.covers(&topic))
}
