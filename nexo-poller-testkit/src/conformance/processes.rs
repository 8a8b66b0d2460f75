use std::path::Path;

use nexo_poller::manifest::DeclaredPoller;

use super::mismatch::{Found, Mismatch, list};
use super::scene::{Scene, news, resume, succeeds};
use super::{Suite, World};
use crate::process::{PluginPipes, PluginProcess, built_binary};
use crate::{JobTest, MockPollerHost};

pub(super) async fn alike<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let (folder, bin) = (suite.folder.clone(), suite.bin.clone());
    let built = tokio::task::spawn_blocking(move || built_binary(folder, &bin)).await;
    let built = built.map_err(|error| Mismatch::new("a binary", error))?;
    let program = built.map_err(|error| Mismatch::new("a binary", error))?;

    let Scene { mut world, before } = suite.scene().await?;
    let mut job = suite.resumed(&world, before.as_deref());
    let ack = succeeds(&mut job, "a tick in process").await?;
    let published = news(&job)?;
    for way in ["over stdio", "in one process a tick"] {
        world.restore().await;
        let host = MockPollerHost::new();
        let process = match way {
            "over stdio" => PluginProcess::start_long_lived(&program, &host).await,
            _ => PluginProcess::start_ephemeral(&program, &host).await,
        };
        let process = process.map_err(|error| Mismatch::new("a plugin that comes up", error))?;
        let job = JobTest::of_process(&process, P::DECLARATION.kind);
        let job = job.map_err(|error| Mismatch::new("a plugin with this kind", error))?;
        let mut job = resume(suite.in_world(job, &world), before.as_deref());
        let theirs = succeeds(&mut job, &format!("the same tick {way}")).await?;
        let said = process.status().map(|status| status.last_stderr.join("\n")).unwrap_or_default();
        process.shutdown().await;
        if job.host().published() != published {
            let expected = format!("the same messages {way}:\n{}", list(&published)).replace('\n', "\n          ");
            let actual = format!("{}\n{said}", list(&job.host().published()));
            return Err(Mismatch::new(expected, actual.trim_end()));
        }
        if theirs.next_cursor != ack.next_cursor {
            let text =
                |cursor: &Option<Vec<u8>>| String::from_utf8_lossy(cursor.as_deref().unwrap_or(b"none")).into_owned();
            let expected = format!("the same cursor {way}: {}", text(&ack.next_cursor));
            return Err(Mismatch::new(expected, text(&theirs.next_cursor)));
        }
    }
    bridged(&program, P::DECLARATION.plugin_id.unwrap_or(P::DECLARATION.kind)).await
}

/// Some hosts name a broker in the environment and speak through stdin all the same; they end a plugin that does not answer.
async fn bridged(program: &Path, id: &str) -> Found {
    // Nobody listens on port 1.
    let mut plugin = PluginPipes::start_with(program, id, &[("NEXO_BROKER_URL", "nats://127.0.0.1:1")])
        .map_err(|error| Mismatch::new("a plugin that starts", error))?;
    let answered = plugin.initialize().await;
    let answer =
        answered.map_err(|error| Mismatch::new("an answer to `initialize` where NEXO_BROKER_URL is set", error))?;
    if answer["plugin"]["id"] != id {
        return Err(Mismatch::new(format!("the id `{id}` in the handshake"), &answer["plugin"]["id"]));
    }
    plugin.ended().await.map(|_| ()).map_err(|error| Mismatch::new("a plugin that ends with its stdin", error))
}
