use std::path::Path;

use nexo_poller::contract::{Pattern, check_kind};
use nexo_poller::manifest::{DeclaredPoller, Manifest};
use nexo_poller::router::PluginEnvironment;

use super::mismatch::{Found, Mismatch};
use super::{Suite, World};
use crate::process::built_binary;

/// Set it to write the manifest instead of comparing it.
const UPDATE: &str = "NEXO_UPDATE";

pub(super) async fn manifest<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let printed = printed(&suite.folder, &suite.bin).await?;
    let manifest = Manifest::parse(&printed, "--print-manifest")
        .map_err(|error| Mismatch::new("a valid manifest from --print-manifest", error))?;
    let kinds = manifest.plugin.poller.as_ref().map(|poller| poller.kinds.clone()).unwrap_or_default();
    let kind = P::DECLARATION.kind;
    if !kinds.iter().any(|served| served == kind) {
        return Err(Mismatch::new(format!("a manifest with the kind `{kind}`"), format!("the kinds {kinds:?}")));
    }
    let file = suite.folder.join("nexo-plugin.toml");
    if std::env::var_os(UPDATE).is_some_and(|set| set == "1") {
        return std::fs::write(&file, printed).map_err(|error| Mismatch::new("nexo-plugin.toml to be written", error));
    }
    let committed = std::fs::read_to_string(&file).map_err(|error| {
        Mismatch::new(
            format!("a nexo-plugin.toml in {}; `{UPDATE}=1 cargo test manifest` writes it", suite.folder.display()),
            error,
        )
    })?;
    if committed == printed {
        return Ok(());
    }
    let differs = printed.lines().zip(committed.lines()).position(|(new, old)| new != old);
    let line = differs.unwrap_or_else(|| printed.lines().count().min(committed.lines().count()));
    let shown = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    Err(Mismatch::new(
        format!("line {} of nexo-plugin.toml: {}", line + 1, shown(&printed)),
        format!("{}\n`{UPDATE}=1 cargo test manifest` writes it again", shown(&committed)),
    ))
}

async fn printed(folder: &Path, bin: &str) -> Result<String, Mismatch> {
    let (folder, bin) = (folder.to_owned(), bin.to_owned());
    let built = tokio::task::spawn_blocking(move || built_binary(folder, &bin)).await;
    let built = built.map_err(|error| Mismatch::new("a binary", error))?;
    let program = built.map_err(|error| Mismatch::new("a binary", error))?;
    let output = PluginEnvironment::new().command(&program, []).arg("--print-manifest").output().await;
    let output = output.map_err(|error| Mismatch::new("a manifest from --print-manifest", error))?;
    String::from_utf8(output.stdout).map_err(|error| Mismatch::new("a manifest in UTF-8", error))
}

pub(super) async fn kind<P: DeclaredPoller + Default, W: World>(_: &Suite<P, W>) -> Found {
    let declared = P::DECLARATION;
    check_kind(declared.kind).map_err(|error| Mismatch::new("a kind", error))?;
    let kind = P::default().kind();
    if kind != declared.kind {
        return Err(Mismatch::new(format!("a poller of the declared kind `{}`", declared.kind), format!("`{kind}`")));
    }
    for pattern in declared.publish.iter().chain(declared.subscribe) {
        pattern.parse::<Pattern>().map_err(|error| Mismatch::new("topic patterns", error))?;
    }
    Ok(())
}
