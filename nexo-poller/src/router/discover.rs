use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::binary::PluginBinary;
use super::environment::PluginEnvironment;
use super::regular_file::read_regular_file;
use super::supervisor::ProcessGroup;
use super::trust::{UntrustedPath, trust};
use crate::manifest::{Manifest, ManifestError, PluginSection};

/// One byte more than a manifest may have: enough to see that it has too many.
const MOST_READ: u64 = Manifest::MAX_BYTES as u64 + 1;

/// How long a binary may take to print its manifest.
const PRINT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a path is no plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// Nothing is there, or it cannot be read.
    #[error("plugin {}: {error}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file that is not a program.
    #[error("plugin {}: not an executable file (chmod +x?)", path.display())]
    NotExecutable {
        /// The path.
        path: PathBuf,
    },
    /// A directory without any plugin.
    #[error("plugins directory {}: no executable and no nexo-plugin.toml in it", path.display())]
    Empty {
        /// The path.
        path: PathBuf,
    },
    /// It has no manifest beside it and does not print one.
    #[error(
        "plugin {}: no nexo-plugin.toml beside it, and `--print-manifest` {why}; is it a nexo plugin?",
        path.display()
    )]
    NoManifest {
        /// The path.
        path: PathBuf,
        /// What happened instead.
        why: String,
    },
    /// Its manifest does not say how it is started.
    #[error(
        "plugin {}: its nexo-plugin.toml has no [plugin.entrypoint], and no program `{program}` is beside it",
        path.display()
    )]
    NoEntrypoint {
        /// The path.
        path: PathBuf,
        /// The name that a plugin's program has in the field.
        program: String,
    },
    /// Its manifest names a program that is not there.
    #[error(
        "manifest {}: `plugin.entrypoint.command` names `{command}`, {why}; correct the name, or put the program there",
        file.display()
    )]
    NoProgram {
        /// The manifest.
        file: PathBuf,
        /// What it names.
        command: String,
        /// Where it would be.
        program: PathBuf,
        /// Where it was looked for.
        why: String,
    },
    /// Others can change what would be run.
    #[error("plugin {}: {reason}", path.display())]
    Untrusted {
        /// The path.
        path: PathBuf,
        /// What of it, or above it.
        reason: UntrustedPath,
    },
    /// The manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// The plugins at `path`: a binary, a directory with a `nexo-plugin.toml`, or a directory of either. A directory with a
/// `nexo-plugin.toml` is that one plugin: whatever else is executable there is its own business and is not run.
///
/// The manifest is the `nexo-plugin.toml` beside a binary where that names it as its command, else what the binary
/// prints for `--print-manifest`.
///
/// # Errors
/// One [`DiscoverError`] for each path that is no plugin, after everything was looked at; the plugins that were found
/// are the other half.
pub async fn discover(path: &Path) -> (Vec<PluginBinary>, Vec<DiscoverError>) {
    discover_in(path, &PluginEnvironment::default()).await
}

/// As [`discover`], with `environment` for what is found there, and for the binaries that are asked for their manifest.
///
/// # Errors
/// As [`discover`].
pub async fn discover_in(path: &Path, environment: &PluginEnvironment) -> (Vec<PluginBinary>, Vec<DiscoverError>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    match candidates(path) {
        Ok(paths) => {
            for path in paths {
                match read_plugin(&path, environment).await {
                    Ok(plugin) => found.push(plugin.with_environment(environment.clone())),
                    Err(error) => errors.push(error),
                }
            }
        }
        Err(error) => errors.push(error),
    }
    (found, errors)
}

/// What might be a plugin: `path` itself, or what stands in the directory `path`, in the order of names.
fn candidates(path: &Path) -> Result<Vec<PathBuf>, DiscoverError> {
    let failed = |error| DiscoverError::Io { path: path.to_owned(), error };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    trusted(path)?;
    if !metadata.is_dir() || path.join(MANIFEST_FILE).is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.join(MANIFEST_FILE).is_file() || is_executable(&entry) {
            inside.push(entry);
        }
    }
    inside.sort();
    if inside.is_empty() { Err(DiscoverError::Empty { path: path.to_owned() }) } else { Ok(inside) }
}

const MANIFEST_FILE: &str = "nexo-plugin.toml";

async fn read_plugin(path: &Path, environment: &PluginEnvironment) -> Result<PluginBinary, DiscoverError> {
    trusted(path)?;
    if path.is_dir() {
        let file = path.join(MANIFEST_FILE);
        let manifest = read_manifest(&file)?;
        let program = program_of(path, file, &manifest.plugin)?;
        trusted(&program)?;
        return Ok(PluginBinary::new(manifest, program));
    }
    if !is_executable(path) {
        return Err(DiscoverError::NotExecutable { path: path.to_owned() });
    }
    let beside = path.with_file_name(MANIFEST_FILE);
    if beside.is_file() {
        let manifest = read_manifest(&beside)?;
        // A directory may hold several binaries; the manifest is that of the one which it names.
        let command = Path::new(&manifest.plugin.entrypoint.command);
        if command.file_name() == path.file_name() {
            return Ok(PluginBinary::new(manifest, path));
        }
    }
    let text = print_manifest(path, environment).await?;
    let manifest = Manifest::parse(&text, &format!("`{} --print-manifest`", path.display()))?;
    Ok(PluginBinary::new(manifest, path))
}

/// Nothing is run, and no manifest is believed, that others can change.
fn trusted(path: &Path) -> Result<(), DiscoverError> {
    trust(path).map_err(|reason| DiscoverError::Untrusted { path: path.to_owned(), reason })
}

/// The program that is started for `plugin`, whose manifest is the `file` in `folder`: beside it, or where the PATH leads to.
fn program_of(folder: &Path, file: PathBuf, plugin: &PluginSection) -> Result<PathBuf, DiscoverError> {
    if plugin.entrypoint.is_absent() {
        // Published hosts know such a plugin by the name of its program.
        let program = format!("nexo-plugin-{}", plugin.id);
        let beside = folder.join(&program);
        return match is_executable(&beside) {
            true => Ok(beside),
            false => Err(DiscoverError::NoEntrypoint { path: folder.to_owned(), program }),
        };
    }
    let command = plugin.entrypoint.command.clone();
    let beside = folder.join(&command);
    if is_executable(&beside) {
        return Ok(beside);
    }
    if Path::new(&command).is_absolute() {
        let why = "where there is no executable file".to_owned();
        return Err(DiscoverError::NoProgram { file, command, program: beside, why });
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path)
            .map(|dir| dir.join(&command))
            .find(|found| found.is_absolute() && is_executable(found))
    });
    on_path.ok_or_else(|| {
        let why = format!("and there is no such executable file in {} or on the PATH", folder.display());
        DiscoverError::NoProgram { file, command, program: beside, why }
    })
}

fn read_manifest(file: &Path) -> Result<Manifest, DiscoverError> {
    trusted(file)?;
    let text = read_regular_file(file, Manifest::MAX_BYTES as u64)
        .map_err(|error| DiscoverError::Io { path: file.to_owned(), error })?;
    Ok(Manifest::parse(&text, &file.display().to_string())?)
}

/// Runs the binary, in a process group of its own that is killed whatever happens.
async fn print_manifest(path: &Path, environment: &PluginEnvironment) -> Result<String, DiscoverError> {
    let no_manifest = |why: String| DiscoverError::NoManifest { path: path.to_owned(), why };
    let mut child = environment
        .command(path, [])
        .arg("--print-manifest")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| DiscoverError::Io { path: path.to_owned(), error })?;
    let _group = ProcessGroup::of(&child);
    let mut text = String::new();
    let read = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST_READ).read_to_string(&mut text).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(PRINT_TIMEOUT, read).await {
        // It is refused as too large, however the process ended that could not write on.
        _ if text.len() > Manifest::MAX_BYTES => Ok(text),
        Err(_) => Err(no_manifest(format!("did not end within {} s", PRINT_TIMEOUT.as_secs()))),
        Ok(Err(error)) => Err(no_manifest(format!("could not be read: {error}"))),
        Ok(Ok(status)) if !status.success() => Err(no_manifest(format!("failed ({status})"))),
        Ok(Ok(_)) => Ok(text),
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
