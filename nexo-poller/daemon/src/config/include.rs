use std::path::{Path, PathBuf};

use crate::config::yaml::{Node, Place, Sink, Yaml};

/// The files that `include` means, with where each stands in the file: a path is a file, or a directory whose `.yaml` and
/// `.yml` files count, in the order of their names.
pub(super) fn files(node: &Node, place: &Place, dir: &Path, sink: &mut Sink<'_>) -> Vec<(PathBuf, Place)> {
    let alone = std::slice::from_ref(node);
    let items = match &node.value {
        Yaml::List(items) => items.as_slice(),
        _ => alone,
    };
    let mut found = Vec::new();
    for item in items {
        let place = if matches!(node.value, Yaml::List(_)) { Place::item(item.at) } else { place.clone() };
        match &item.value {
            Yaml::Text(path) if !path.trim().is_empty() => match expand(&dir.join(path)) {
                Ok(files) => found.extend(files.into_iter().map(|file| (file, place.clone()))),
                Err(error) => {
                    let path = dir.join(path);
                    sink.add(place, format!("`include`: {} cannot be read: {error}", path.display()));
                }
            },
            other => sink.add(place, format!("`include` must be a path or a list of paths, found {}", other.noun())),
        }
    }
    found
}

fn expand(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    Ok(files)
}
