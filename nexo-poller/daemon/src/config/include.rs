use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nexo_poller::unstable::{open_regular_file, read_opened};

use crate::config::keys::include as key;
use crate::config::resolved::open_resolved;
use crate::config::scope::Scope;
use crate::config::yaml::{Node, Place, Sink, Table, Yaml};

/// A file that `include` means.
pub(super) struct Included {
    pub(super) path: PathBuf,
    /// Where it stands in the file that includes it.
    pub(super) place: Place,
    /// The directory that `include` names, whose links may not lead out of it; `None` where it names the very file.
    pub(super) directory: Option<PathBuf>,
    pub(super) scope: Arc<Scope>,
}

/// The files that the `include` of the file at `main` means: a path is a file, or a directory whose `.yaml` and `.yml` files
/// count, in the order of their names. None of them may read the files of `secrets`.
pub(super) fn files(
    node: &Node,
    place: &Place,
    main: &Path,
    secrets: &[PathBuf],
    sink: &mut Sink<'_>,
) -> Vec<Included> {
    let alone = std::slice::from_ref(node);
    let items = match &node.value {
        Yaml::List(items) => items.as_slice(),
        _ => alone,
    };
    let mut found = Vec::new();
    for item in items {
        let place = if matches!(node.value, Yaml::List(_)) { Place::item(item.at) } else { place.clone() };
        let (paths, scope) = match &item.value {
            Yaml::Text(path) if !path.trim().is_empty() => (vec![path.clone()], Scope::of_path(path, main, secrets)),
            Yaml::Map(_) => {
                let Some(mut table) = Table::open("an item of `include`", place.clone(), item, sink) else { continue };
                let paths = key::FILES.read(&mut table, sink);
                let scope = Scope::read(&paths, &mut table, main, secrets, sink);
                table.finish(sink);
                (paths, scope)
            }
            other => {
                let message = format!(
                    "`include` must be a path, a mapping with `files`, or a list of these, found {}",
                    other.noun()
                );
                sink.add(place, message);
                continue;
            }
        };
        let scope = Arc::new(scope);
        for path in paths {
            let path = main.parent().unwrap_or(Path::new("")).join(path);
            match expand(&path) {
                Ok((directory, files)) => found.extend(files.into_iter().map(|path| Included {
                    path,
                    place: place.clone(),
                    directory: directory.clone(),
                    scope: Arc::clone(&scope),
                })),
                Err(error) => {
                    let message = format!("`include`: {} cannot be read: {error}", path.display());
                    sink.add(place.clone(), message);
                }
            }
        }
    }
    found
}

/// The text of an included file, of at most `most` bytes.
///
/// # Errors
/// Also where a link of its directory leads elsewhere: whoever may write there may not have that read.
pub(super) fn read(included: &Included, most: u64) -> io::Result<String> {
    let Some(directory) = &included.directory else {
        return read_opened(open_regular_file(&included.path)?, most);
    };
    let resolved = included.path.canonicalize()?;
    if !resolved.starts_with(directory) {
        let message = format!("it is a link that leads out of {}; include the file itself", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    read_opened(open_resolved(&resolved)?, most)
}

/// The files at `path`, and where it is a directory that too, without links.
fn expand(path: &Path) -> io::Result<(Option<PathBuf>, Vec<PathBuf>)> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok((None, vec![path.to_owned()]));
    }
    let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    Ok((Some(path.canonicalize()?), files))
}
