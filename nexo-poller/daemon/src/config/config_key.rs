use std::path::Path;

use nexo_poller::unstable::read_regular_file;

use crate::config::jobs::MOST;
use crate::config::yaml::{Key, Node, Place, Yaml, parse};

/// Where the field `wanted` (`deliver.to`) stands in the config of the job `id` of the file at `path`; where it is missing, what
/// it is missing from. `None` where the file no longer says so.
pub(crate) fn place_in_config(path: &Path, id: &str, wanted: &str) -> Option<Place> {
    let text = read_regular_file(path, MOST).ok()?;
    let root = parse(&text, "").ok()?;
    let jobs = get_in(get_in(&root, "pollers")?.1, "jobs")?.1;
    let Yaml::List(items) = &jobs.value else { return None };
    let job = items.iter().find(|item| {
        get_in(item, "id").is_some_and(|(_, node)| matches!(&node.value, Yaml::Text(found) if found == id))
    })?;
    let (key, mut node) = get_in(job, "config")?;
    let mut place = Place::value(key, node.at);
    for step in wanted.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
        let next = match &node.value {
            Yaml::Map(_) => get_in(node, step).map(|(key, node)| (Place::value(key, node.at), node)),
            Yaml::List(items) => {
                step.parse::<usize>().ok().and_then(|at| items.get(at)).map(|item| (Place::item(item.at), item))
            }
            _ => None,
        };
        let Some((found, inner)) = next else { break };
        (place, node) = (found, inner);
    }
    Some(place)
}

fn get_in<'n>(node: &'n Node, name: &str) -> Option<(&'n Key, &'n Node)> {
    let Yaml::Map(fields) = &node.value else { return None };
    fields.iter().find(|(key, _)| key.name == name).map(|(key, node)| (key, node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_points_at_the_very_key_or_at_what_lacks_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "pollers:\n  jobs:\n    - id: a\n      config:\n        url: x\n        deliver:\n          to: 5\n        list: [1, 2]\n";
        std::fs::write(file.path(), text).unwrap();
        let place =
            |wanted: &str| place_in_config(file.path(), "a", wanted).map(|place| (place.line(), place.column()));
        assert_eq!(place("deliver.to"), Some((7, 15)));
        assert_eq!(place("deliver.channel"), Some((7, 11)));
        assert_eq!(place("list[1]"), Some((8, 19)));
        assert_eq!(place("methud"), Some((5, 9)));
        assert_eq!(place_in_config(file.path(), "b", "url"), None);
    }
}
