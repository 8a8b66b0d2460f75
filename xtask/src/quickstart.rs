use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{binaries, cargo, finish, root};
use crate::{Outcome, say};

/// Builds the example's plugin and the daemon, and runs the daemon in `folder` (the example's own by default).
pub(crate) fn run(folder: Option<&Path>) -> Outcome {
    let (mut daemon, folder) = prepared(folder)?;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: PathBuf| path.strip_prefix(&here).unwrap_or(&path).display().to_string();
    let (inbox, file) = (shown(folder.join("inbox")), shown(folder.join("pollers.yaml")));
    let program = shown(PathBuf::from(daemon.get_program()));
    say(&format!(
        "\nThe daemon looks into {inbox} every second. Drop in a file from another terminal, and look at the job:\n\
         \n    echo hello > {inbox}/hello.txt\n    {program} list -c {file}\n\n\
         Ctrl-C stops it. Start it again: what was announced is not announced again.\n"
    ))?;
    become_it(&mut daemon)
}

/// Everything is built and in its place; the command starts the daemon.
pub(crate) fn prepared(folder: Option<&Path>) -> Result<(Command, PathBuf), String> {
    let example = root().join("examples").join("quickstart");
    let folder = match folder {
        None => example.clone(),
        Some(folder) => std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))?,
    };
    // Two builds: in one, the plugin would be linked with all that the daemon needs.
    finish(cargo().args(["build", "--package", "quickstart"]))?;
    finish(cargo().args(["build", "--package", "nexo-poller-daemon"]))?;

    for part in ["inbox", "plugins"] {
        let path = folder.join(part);
        fs::create_dir_all(&path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
    }
    let yaml = folder.join("pollers.yaml");
    if folder != example {
        copy(&example.join("pollers.yaml"), &yaml)?;
    }
    let plugin = format!("quickstart{}", std::env::consts::EXE_SUFFIX);
    copy(&binaries()?.join(&plugin), &folder.join("plugins").join(&plugin))?;

    let mut daemon = Command::new(daemon()?);
    daemon.args(["run", "-c", "pollers.yaml"]).current_dir(&folder);
    Ok((daemon, folder))
}

/// The program that [`prepared`] builds.
pub(crate) fn daemon() -> Result<PathBuf, String> {
    Ok(binaries()?.join(format!("nexo-poller{}", std::env::consts::EXE_SUFFIX)))
}

/// Copies beside the old file and swaps: a binary that runs can be replaced that way, not written to.
fn copy(from: &Path, to: &Path) -> Outcome {
    let beside = to.with_extension("new");
    fs::copy(from, &beside)
        .and_then(|_| fs::rename(&beside, to))
        .map_err(|error| format!("{} cannot be copied to {}: {error}", from.display(), to.display()))
}

/// Ctrl-C is then for the daemon, which stops in order, and its exit code is this command's.
#[cfg(unix)]
fn become_it(daemon: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt as _;
    Err(format!("`{}` could not be started: {}", crate::run::show(daemon), daemon.exec()))
}

#[cfg(not(unix))]
fn become_it(daemon: &mut Command) -> Outcome {
    finish(daemon)
}
