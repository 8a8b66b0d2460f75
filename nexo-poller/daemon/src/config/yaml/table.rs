use std::path::PathBuf;

use crate::config::yaml::problem::printable;
use crate::config::yaml::{Key, Node, Place, Problem, Yaml, closest};

/// One mapping being read: its keys are taken one by one, and what is left at the end is unknown.
///
/// Every reader reports what is wrong and goes on, so that one look finds everything.
pub(crate) struct Table<'n> {
    /// How the mapping is called in messages: "job", "`admin`".
    name: String,
    place: Place,
    fields: Vec<(&'n Key, &'n Node)>,
    known: Vec<&'static str>,
}

/// Collects problems of one file, and of one job while there is one.
pub(crate) struct Sink<'f> {
    pub(crate) file: &'f str,
    pub(crate) job: Option<String>,
    pub(crate) problems: Vec<Problem>,
}

impl Sink<'_> {
    pub(crate) fn add(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            place: Some(place),
            job: self.job.as_deref().map(printable),
            message: printable(&message.into()),
        });
    }
}

impl<'n> Table<'n> {
    /// Reads `node` as a mapping; `place` is where it stands. Repeated keys are reported, the first one counts.
    pub(crate) fn open(name: &str, place: Place, node: &'n Node, sink: &mut Sink<'_>) -> Option<Self> {
        let Yaml::Map(all) = &node.value else {
            sink.add(place, format!("{name} must be a mapping (`key: value` lines), found {}", node.value.noun()));
            return None;
        };
        let mut fields: Vec<(&Key, &Node)> = Vec::with_capacity(all.len());
        for (key, value) in all {
            match fields.iter().find(|(earlier, _)| earlier.name == key.name) {
                Some((earlier, _)) => {
                    let line = earlier.at.line;
                    sink.add(Place::key(key), format!("`{}` stands twice, the first time on line {line}", key.name));
                }
                None => fields.push((key, value)),
            }
        }
        Some(Self { name: name.to_owned(), place, fields, known: Vec::new() })
    }

    /// Where the mapping stands.
    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    /// Takes `key`; `None` where it is absent or empty.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<(&'n Key, &'n Node)> {
        self.known.push(key);
        let at = self.fields.iter().position(|(found, _)| found.name == key)?;
        let field = self.fields.swap_remove(at);
        (!matches!(field.1.value, Yaml::Null)).then_some(field)
    }

    /// Looks at `key` without taking it.
    pub(crate) fn peek(&self, key: &str) -> Option<(&'n Key, &'n Node)> {
        self.fields.iter().find(|(found, _)| found.name == key).copied()
    }

    /// Text, not empty.
    pub(crate) fn text(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<(String, Place)> {
        let (key, node) = self.take(key)?;
        let place = Place::value(key, node.at);
        match &node.value {
            Yaml::Text(text) if !text.trim().is_empty() => Some((text.clone(), place)),
            Yaml::Text(_) => {
                sink.add(place, format!("`{}` is empty", key.name));
                None
            }
            other => {
                sink.add(place, format!("`{}` must be text, found {}; put it in quotes", key.name, other.noun()));
                None
            }
        }
    }

    /// Text that must be there.
    pub(crate) fn required(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<(String, Place)> {
        let present = self.fields.iter().any(|(found, node)| found.name == key && !matches!(node.value, Yaml::Null));
        let found = self.text(key, sink);
        if !present && !self.is_misspelled(key) {
            sink.add(self.place.clone(), format!("{} lacks `{key}`", self.name));
        }
        found
    }

    /// Whether a key that is still there looks like `key`: then that slip is the one thing to report.
    pub(crate) fn is_misspelled(&self, key: &'static str) -> bool {
        self.fields.iter().any(|(found, _)| closest(&found.name, [key]).is_some())
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, key: &'static str, default: bool, sink: &mut Sink<'_>) -> bool {
        let Some((key, node)) = self.take(key) else { return default };
        if let Yaml::Bool(value) = node.value {
            return value;
        }
        let found = node.value.noun();
        sink.add(Place::value(key, node.at), format!("`{}` must be true or false, found {found}", key.name));
        default
    }

    /// A whole number within bounds.
    pub(crate) fn whole(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<u64>,
        sink: &mut Sink<'_>,
    ) -> Option<u64> {
        let (key, node) = self.take(key)?;
        let value = match &node.value {
            Yaml::Number(number) => number.as_u64(),
            _ => None,
        };
        let value = value.filter(|value| bounds.contains(value));
        if value.is_none() {
            let (least, most) = bounds.into_inner();
            let message = format!("`{}` must be a whole number from {least} to {most}", key.name);
            sink.add(Place::value(key, node.at), message);
        }
        value
    }

    /// A number within bounds.
    pub(crate) fn number(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<f64>,
        sink: &mut Sink<'_>,
    ) -> Option<f64> {
        let (key, node) = self.take(key)?;
        let value = match &node.value {
            Yaml::Number(number) => number.as_f64(),
            _ => None,
        };
        let value = value.filter(|value| bounds.contains(value));
        if value.is_none() {
            let (least, most) = bounds.into_inner();
            sink.add(Place::value(key, node.at), format!("`{}` must be a number from {least} to {most}", key.name));
        }
        value
    }

    /// A path.
    pub(crate) fn path(&mut self, key: &'static str, sink: &mut Sink<'_>) -> Option<PathBuf> {
        self.text(key, sink).map(|(text, _)| PathBuf::from(text))
    }

    /// A list of texts, or one text alone.
    pub(crate) fn texts(&mut self, name: &'static str, sink: &mut Sink<'_>) -> Vec<String> {
        let Some((key, node)) = self.take(name) else { return Vec::new() };
        let Yaml::List(items) = &node.value else {
            if let Yaml::Text(text) = &node.value {
                return vec![text.clone()];
            }
            let message = format!("`{name}` must be a list of texts, found {}", node.value.noun());
            sink.add(Place::value(key, node.at), message);
            return Vec::new();
        };
        let text = |item: &Node| match &item.value {
            Yaml::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            other => {
                sink.add(Place::item(item.at), format!("each item of `{name}` must be text, found {}", other.noun()));
                None
            }
        };
        items.iter().filter_map(text).collect()
    }

    /// The same, which must be there.
    pub(crate) fn required_texts(&mut self, name: &'static str, sink: &mut Sink<'_>) -> Vec<String> {
        if self.peek(name).is_none() && !self.is_misspelled(name) {
            sink.add(self.place.clone(), format!("{} lacks `{name}`", self.name));
        }
        self.texts(name, sink)
    }

    /// Reports every key that nobody took.
    pub(crate) fn finish(self, sink: &mut Sink<'_>) {
        for (key, _) in self.fields {
            let hint = match closest(&key.name, self.known.iter().copied()) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => format!("; known are {}", self.known.join(", ")),
            };
            sink.add(Place::key(key), format!("unknown key `{}` in {}{hint}", key.name, self.name));
        }
    }
}
