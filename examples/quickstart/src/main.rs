//! Announces new files in a folder: a whole poller, made of one function.
//!
//! From anywhere in the repository, with nothing but Rust installed:
//!
//! ```text
//! cargo xtask quickstart                                  # builds this plugin and the daemon, and runs both
//! echo hello > examples/quickstart/inbox/hello.txt        # in another terminal: announced within two seconds
//! ```
//!
//! Or one tick by hand, without a daemon, to see what it would publish:
//!
//! ```text
//! cd examples/quickstart
//! cargo run -p quickstart -- once --config '{"folder": "inbox", "deliver": {"channel": "console", "to": "you"}}'
//! ```

mod folder;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use nexo_poller::prelude::*;

use crate::folder::{Stamp, list};

/// What the operator writes under `config:`. Unknown keys are refused with a message that lists the known ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewFilesConfig {
    /// The folder to look at; its subfolders are not entered.
    folder: PathBuf,
    /// Where the announcements go.
    deliver: Deliver,
    /// More new files than this wait for the next tick.
    #[serde(default = "default_max_per_tick")]
    max_per_tick: usize,
}

fn default_max_per_tick() -> usize {
    20
}

/// The cursor: every file that was announced and is still there. A deleted file leaves it, so it stays as small as the
/// folder. A time ("announce what is newer than …") would be smaller and wrong: many files can share one moment, and a
/// file that is moved here keeps its old time.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Announced(BTreeMap<String, Stamp>);

/// A file that was written to less long ago is probably still being written.
const SETTLED_AFTER: Duration = Duration::from_millis(300);

/// The cursor travels with every tick, so it is bounded.
const MOST_FILES: usize = 1_000;

/// Announces new files in a folder.
#[poller(kind = "new_files", publish = ["plugin.outbound.>"])]
async fn new_files(
    ctx: &PollContext,
    Config(config): Config<NewFilesConfig>,
    Cursor(Announced(mut announced)): Cursor<Announced>,
) -> Result<TickAck, PollerError> {
    // Reading a folder may block, and other ticks share this thread. A folder that is missing may be a disk that is
    // about to be mounted: transient, the daemon tries again with growing pauses.
    let folder = config.folder.clone();
    let found = tokio::task::spawn_blocking(move || list(&folder))
        .await
        .permanent("the reader of the folder died")?
        .transient(format!("cannot read the folder `{}`", config.folder.display()))?;
    if found.len() > MOST_FILES {
        let folder = config.folder.display();
        return Err(PollerError::permanent(format!(
            "`{folder}` holds {} files and this poller remembers {MOST_FILES}: move some away, then resume the job",
            found.len()
        )));
    }

    // A name that was announced is no news, even when the file has changed. Nor is a new name on a file that was
    // announced under a name that is now gone: it was renamed.
    let is_rename = |stamp: &Stamp| announced.iter().any(|(name, old)| old == stamp && !found.contains_key(name));
    let (renamed, mut news): (Vec<_>, Vec<_>) =
        found.iter().filter(|(name, _)| !announced.contains_key(*name)).partition(|(_, stamp)| is_rename(stamp));
    // Oldest first; the name decides between equals, so that a repeated tick repeats the order.
    news.sort_by_key(|(name, stamp)| (stamp.modified_ms, *name));
    let settled = |stamp: &Stamp| stamp.age_at(ctx.now).is_none_or(|age| age >= SETTLED_AFTER);
    let ready: Vec<_> = news.iter().filter(|(_, stamp)| settled(stamp)).take(config.max_per_tick).collect();

    // Each publish is awaited. When one fails, `?` ends the tick and the cursor stays where it was: nothing is lost, and
    // what is published again carries the same id as before.
    for (name, stamp) in &ready {
        config.deliver.send(ctx, &format!("new file: {name} ({} bytes)", stamp.bytes)).await?;
    }

    announced.retain(|name, _| found.contains_key(name));
    announced.extend(renamed.iter().chain(ready.iter().copied()).map(|(name, stamp)| ((*name).clone(), **stamp)));
    let ack = TickAck::with_cursor(&Announced(announced))?.items(found.len(), ready.len());
    // Something is left to do: come back soon instead of at the schedule's next slot, once.
    Ok(if ready.len() < news.len() { ack.next_in(Duration::from_secs(1)) } else { ack })
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
