use crate::config::yaml::{Key, Node, Place, Sink, Yaml};

/// The entries of a mapping whose keys are names; nothing where it is something else, which is reported.
pub(crate) fn entries<'n>(name: &str, place: Place, node: &'n Node, sink: &mut Sink<'_>) -> Vec<(&'n Key, &'n Node)> {
    match &node.value {
        Yaml::Null => Vec::new(),
        Yaml::Map(fields) => fields.iter().map(|(key, value)| (key, value)).collect(),
        other => {
            sink.add(place, format!("{name} must be a mapping, found {}", other.noun()));
            Vec::new()
        }
    }
}
