use std::path::PathBuf;

use super::shape::{Entry, Flag, Mapping, Number, Or, Required, Shape, Text, Texts, Whole, Word};
use crate::config::yaml::{Key as Written, Node, Place, Sink, Table};

/// One key: its name, what it takes, and what it is for.
pub(crate) struct Key<S> {
    pub(crate) name: &'static str,
    pub(crate) shape: S,
    /// Whole sentences, for whoever writes the file.
    pub(crate) says: &'static str,
}

impl<S: Shape> Entry for Key<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn says(&self) -> &'static str {
        self.says
    }

    fn shape(&self) -> &dyn Shape {
        &self.shape
    }
}

impl<S> Key<S> {
    /// What the file has here; `None` where the key is absent or empty.
    pub(crate) fn take<'n>(&self, table: &mut Table<'n>) -> Option<(&'n Written, &'n Node)> {
        table.take(self.name)
    }
}

impl<S, D: Copy> Key<Or<S, D>> {
    /// What a file means that does not have the key.
    pub(crate) const fn default(&self) -> D {
        self.shape.default
    }
}

impl Key<Or<Flag, bool>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> bool {
        table.flag(self.name, self.default(), sink)
    }
}

impl<N: Copy + Into<u64> + TryFrom<u64>> Key<Whole<N>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<N> {
        whole(self.name, &self.shape, table, sink)
    }
}

impl<N: Copy + Into<u64> + TryFrom<u64>> Key<Or<Whole<N>, N>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> N {
        whole(self.name, &self.shape.shape, table, sink).unwrap_or(self.default())
    }
}

fn whole<N: Copy + Into<u64> + TryFrom<u64>>(
    name: &'static str,
    shape: &Whole<N>,
    table: &mut Table<'_>,
    sink: &mut Sink<'_>,
) -> Option<N> {
    table.whole(name, shape.least.into()..=shape.most.into(), sink).and_then(|value| N::try_from(value).ok())
}

impl Key<Or<Number, f64>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> f64 {
        let Number { least, most } = self.shape.shape;
        table.number(self.name, least..=most, sink).unwrap_or(self.default())
    }
}

impl Key<Text> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, Place)> {
        table.text(self.name, sink)
    }

    pub(crate) fn read_path(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<PathBuf> {
        table.path(self.name, sink)
    }
}

impl Key<Or<Text, &'static str>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, Place)> {
        table.text(self.name, sink)
    }
}

impl Key<Required<Text>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, Place)> {
        table.required(self.name, sink)
    }

    /// Whether it can be `text`, which is known not to be empty.
    pub(crate) fn takes(&self, text: &str) -> bool {
        self.shape.0.takes(text)
    }
}

impl Key<Texts> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Vec<String> {
        table.texts(self.name, sink)
    }
}

impl Key<Required<Texts>> {
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Vec<String> {
        table.required_texts(self.name, sink)
    }
}

impl<T: Copy + Sync> Key<Word<T>> {
    /// `None` where the file has another word, which is reported.
    pub(crate) fn read(&self, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<T> {
        let Some((text, place)) = table.text(self.name, sink) else { return Some(self.shape.default().1) };
        match self.shape.words.iter().find(|(word, _)| *word == text) {
            Some((_, meant)) => Some(*meant),
            None => {
                let hint = self.shape.closest(&text).map(|meant| format!("; did you mean `{meant}`?"));
                let message = format!("`{}` must be {}{}", self.name, self.shape.list(), hint.unwrap_or_default());
                sink.add(place, message);
                None
            }
        }
    }
}

impl Key<Mapping> {
    /// The mapping, to be read key by key; `None` where there is none, or something else, which is reported.
    pub(crate) fn open<'n>(&self, table: &mut Table<'n>, sink: &mut Sink<'_>) -> Option<Table<'n>> {
        let (key, node) = self.take(table)?;
        self.open_at(Place::value(key, node.at), node, sink)
    }

    /// As [`open`](Self::open), of what was taken already.
    pub(crate) fn open_at<'n>(&self, place: Place, node: &'n Node, sink: &mut Sink<'_>) -> Option<Table<'n>> {
        Table::open(&format!("`{}`", self.name), place, node, sink)
    }
}
