//! {{description}}
//!
//! ```text
//! cargo run -- once        # one tick by hand: what would be published
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nexo_poller::prelude::*;

/// What an operator writes under `config:`. Unknown keys are refused with a message that lists the known ones.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct {{kind | upper_camel_case}}Config {
    /// The folder to look at; its subfolders are not entered.
    #[serde(default = "here")]
    folder: PathBuf,
    /// Where the announcements go.
    #[serde(default = "console")]
    deliver: Deliver,
}

fn here() -> PathBuf {
    ".".into()
}

fn console() -> Deliver {
    Deliver::new("console", "me")
}

/// The cursor: what was announced and is still there.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Announced(BTreeSet<String>);

/// {{description}}
#[poller(kind = "{{kind}}", publish = ["plugin.outbound.>"]{% if lifecycle == "ephemeral" %}, lifecycle = "ephemeral"{% endif %})]
async fn {{kind}}(
    ctx: &PollContext,
    Config(config): Config<{{kind | upper_camel_case}}Config>,
    Cursor(Announced(announced)): Cursor<Announced>,
) -> Result<TickAck, PollerError> {
    // A folder that is missing may be a disk that is about to be mounted: the daemon tries again, with growing pauses.
    let found = files(&config.folder).transient(format!(
        "cannot read the folder `{}`",
        config.folder.display()
    ))?;
    let news: Vec<&String> = found.difference(&announced).collect();
    for name in &news {
        // Awaited one by one: where a publish fails, `?` ends the tick, the cursor stays, and nothing is lost.
        config
            .deliver
            .send(ctx, &format!("new file: {name}"))
            .await?;
    }
    let items = (found.len(), news.len());
    Ok(TickAck::with_cursor(&Announced(found))?.items(items.0, items.1))
}

/// The names of the plain files in `folder`, without hidden ones.
fn files(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && !name.starts_with('.') {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
