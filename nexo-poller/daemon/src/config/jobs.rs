use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::config::include::{self, Included};
use crate::config::keys::settings as key;
use crate::config::scope::Scope;
use crate::config::yaml::{Kept, Key, Node, Place, References, Sink, Table, Yaml, parse};
use crate::config::{JobEntry, Problem};

/// The most bytes of a `pollers.yaml` together with what it includes: a million jobs of half a kilobyte.
pub(super) const MOST: u64 = 512 * 1024 * 1024;

/// The jobs of a file and of those that it includes.
pub(super) struct Jobs {
    pub(super) read: Vec<JobEntry>,
    pub(super) found: usize,
    /// Where each id stands: in which file, and on which line.
    ids: HashMap<String, (Arc<Path>, u32)>,
    /// The bytes that included files may still have.
    room: u64,
}

impl Jobs {
    /// None yet; included files may have `room` bytes.
    pub(super) fn with_room(room: u64) -> Self {
        Self { read: Vec::new(), found: 0, ids: HashMap::new(), room }
    }

    /// Reads the items of `jobs` in the file at `path`, which has a `scope` where another includes it.
    pub(super) fn take(
        &mut self,
        key: &Key,
        node: &Node,
        unresolved: &HashSet<usize>,
        path: &Path,
        scope: Option<&Scope>,
        sink: &mut Sink<'_>,
    ) {
        let Yaml::List(items) = &node.value else {
            let message = format!("`jobs` must be a list (`- id: …` lines), found {}", node.value.noun());
            return sink.add(Place::value(key, node.at), message);
        };
        let path: Arc<Path> = path.into();
        self.found += items.len();
        for (index, item) in items.iter().enumerate() {
            // Until its id is known, a job goes by its number.
            sink.job = Some(format!("#{}", index + 1));
            let job = JobEntry::read(item, &path, sink).filter(|_| !unresolved.contains(&index));
            let Some(job) = job else { continue };
            if let Some(why) = scope.and_then(|scope| scope.refusal_of_agent(&job.agent)) {
                sink.add(job.agent_place.clone(), why);
                continue;
            }
            match self.ids.get(&job.id) {
                Some((file, line)) => {
                    let place = if *file == path { String::new() } else { format!(" of {}", file.display()) };
                    let message =
                        format!("the id is taken by the job on line {line}{place}; ids are unique, choose another");
                    sink.add(job.id_place.clone(), message);
                }
                None => {
                    self.ids.insert(job.id.clone(), (Arc::clone(&path), job.id_place.line()));
                    self.read.push(job);
                }
            }
        }
        sink.job = None;
    }

    /// Reads a file that `from` includes. It has jobs and nothing else.
    pub(super) fn include(&mut self, included: &Included, from: &str) -> Vec<Problem> {
        let Included { path, place, scope, .. } = included;
        let file = path.display().to_string();
        let text = match include::read(included, self.room) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`include`: {file} cannot be read: {error}");
                return vec![Problem { file: from.to_owned(), place: Some(place.clone()), job: None, message }];
            }
        };
        self.room = self.room.saturating_sub(text.len() as u64);
        let mut root = match parse(&text, &file) {
            Ok(root) => root,
            Err(problem) => return vec![*problem],
        };
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let dir = path.parent().unwrap_or(Path::new(""));
        let unresolved = resolve(&mut root, dir, &**scope, &mut sink);
        if let Some(mut table) = open(&root, &mut sink) {
            let jobs = key::JOBS.take(&mut table);
            table.finish(&mut sink);
            if let Some((key, node)) = jobs {
                self.take(key, node, &unresolved, path, Some(scope), &mut sink);
            }
        }
        sink.problems
    }
}

/// The mapping under `pollers`.
pub(super) fn open<'n>(root: &'n Node, sink: &mut Sink<'_>) -> Option<Table<'n>> {
    let mut top = Table::open("the file", Place::item(root.at), root, sink)?;
    let Some((key, node)) = top.take("pollers") else {
        sink.add(top.place(), "the file needs a `pollers:` with something in it; everything stands under that key");
        top.finish(sink);
        return None;
    };
    top.finish(sink);
    Table::open("`pollers`", Place::value(key, node.at), node, sink)
}

/// Puts what is `kept` elsewhere, variables and files, in its places. Returns the jobs, by their number, for which that failed:
/// they are left out, and the others run.
pub(super) fn resolve(root: &mut Node, dir: &Path, kept: &dyn Kept, sink: &mut Sink<'_>) -> HashSet<usize> {
    let references = References::lenient(dir, kept);
    let mut failed = HashSet::new();
    let Yaml::Map(top) = &mut root.value else { return failed };
    let settings = top.iter_mut().filter_map(|(_, node)| match &mut node.value {
        Yaml::Map(settings) => Some(settings),
        _ => None,
    });
    for (key, node) in settings.flatten() {
        let Yaml::List(items) = &mut node.value else {
            references.resolve(node, sink);
            continue;
        };
        for (index, item) in items.iter_mut().enumerate() {
            let before = sink.problems.len();
            if key.name == key::JOBS.name {
                sink.job = Some(name_of(item).unwrap_or_else(|| format!("#{}", index + 1)));
            }
            references.resolve(item, sink);
            sink.job = None;
            if sink.problems.len() > before {
                failed.insert(index);
            }
        }
    }
    failed
}

/// A job's id, before it is read.
fn name_of(item: &Node) -> Option<String> {
    let Yaml::Map(fields) = &item.value else { return None };
    fields.iter().find_map(|(key, node)| match &node.value {
        Yaml::Text(id) if key.name == "id" => Some(id.clone()),
        _ => None,
    })
}
