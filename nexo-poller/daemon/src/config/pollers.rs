use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::keys::settings as key;
use crate::config::yaml::{Key, Node, Place, References, Sink, Table, Yaml, environment, parse};
use crate::config::{JobEntry, Problem, Settings, include};

/// A `pollers.yaml` that can be used, and what is wrong with single jobs of it.
#[derive(Debug, Clone)]
pub(crate) struct PollersFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it says besides its jobs.
    pub(crate) settings: Settings,
    /// The jobs that can be read.
    pub(crate) jobs: Vec<JobEntry>,
    /// Why others are left out.
    pub(crate) problems: Vec<Problem>,
    /// How many jobs the file has, left-out ones included.
    pub(crate) found: usize,
}

/// A `pollers.yaml` that cannot be used at all: every problem found in it.
#[derive(Debug)]
pub(crate) struct RefusedFile {
    /// At least one.
    pub(crate) problems: Vec<Problem>,
}

impl fmt::Display for RefusedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RefusedFile {}

impl PollersFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`RefusedFile`] where it cannot be read, is not YAML, or is wrong outside its jobs.
    pub(crate) fn load(path: &Path) -> Result<Self, RefusedFile> {
        Self::parse(&read(path)?, path)
    }

    /// The settings of the file at `path`, whatever is wrong with its jobs and with the files that it includes: enough to find
    /// the daemon that runs it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn settings_of(path: &Path) -> Result<Settings, RefusedFile> {
        let file = path.display().to_string();
        let mut root = parse(&read(path)?, &file).map_err(|problem| RefusedFile { problems: vec![*problem] })?;
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let dir = path.parent().unwrap_or(Path::new(""));
        resolve(&mut root, dir, &mut sink);
        sink.problems.retain(|problem| problem.job.is_none());
        let settings = open(&root, &mut sink).map(|mut table| Settings::read(&mut table, dir, &mut sink));
        settings.filter(|_| sink.problems.is_empty()).ok_or(RefusedFile { problems: sink.problems })
    }

    /// Reads `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, RefusedFile> {
        let file = path.display().to_string();
        let mut root = parse(text, &file).map_err(|problem| RefusedFile { problems: vec![*problem] })?;
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let dir = path.parent().unwrap_or(Path::new(""));
        let unresolved = resolve(&mut root, dir, &mut sink);
        let mut jobs = Jobs::default();
        let read = read_root(&root, &unresolved, path, &mut jobs, &mut sink);
        let mut problems = sink.problems;
        let settings = read.map(|(settings, included)| {
            for (included, place) in included {
                problems.extend(jobs.include(&included, &file, place));
            }
            settings
        });
        let (fatal, of_jobs): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.job.is_none());
        match settings {
            Some(settings) if fatal.is_empty() => {
                Ok(Self { path: path.to_owned(), settings, jobs: jobs.read, problems: of_jobs, found: jobs.found })
            }
            _ => {
                let mut problems = fatal;
                problems.extend(of_jobs);
                problems.sort_by_key(|problem| {
                    let place = problem.place.as_ref().map(|place| (place.line(), place.column()));
                    (problem.file != file, problem.file.clone(), place)
                });
                Err(RefusedFile { problems })
            }
        }
    }
}

fn read(path: &Path) -> Result<String, RefusedFile> {
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot be read: {error}; name another file with -c");
        let problem = Problem { file: path.display().to_string(), place: None, job: None, message };
        RefusedFile { problems: vec![problem] }
    })
}

/// The jobs of a file and of those that it includes.
#[derive(Default)]
struct Jobs {
    read: Vec<JobEntry>,
    found: usize,
    /// Where each id stands: in which file, and on which line.
    ids: HashMap<String, (Arc<Path>, u32)>,
}

impl Jobs {
    /// Reads the items of `jobs` in the file at `path`.
    fn take(&mut self, key: &Key, node: &Node, unresolved: &HashSet<usize>, path: &Path, sink: &mut Sink<'_>) {
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

    /// Reads the file at `path`, which `from` includes at `place`. It has jobs and nothing else.
    fn include(&mut self, path: &Path, from: &str, place: Place) -> Vec<Problem> {
        let file = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`include`: {file} cannot be read: {error}");
                return vec![Problem { file: from.to_owned(), place: Some(place), job: None, message }];
            }
        };
        let mut root = match parse(&text, &file) {
            Ok(root) => root,
            Err(problem) => return vec![*problem],
        };
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let unresolved = resolve(&mut root, path.parent().unwrap_or(Path::new("")), &mut sink);
        if let Some(mut table) = open(&root, &mut sink) {
            let jobs = key::JOBS.take(&mut table);
            table.finish(&mut sink);
            if let Some((key, node)) = jobs {
                self.take(key, node, &unresolved, path, &mut sink);
            }
        }
        sink.problems
    }
}

/// The mapping under `pollers`.
fn open<'n>(root: &'n Node, sink: &mut Sink<'_>) -> Option<Table<'n>> {
    let mut top = Table::open("the file", Place::item(root.at), root, sink)?;
    let Some((key, node)) = top.take("pollers") else {
        sink.add(top.place(), "the file needs a `pollers:` with something in it; everything stands under that key");
        top.finish(sink);
        return None;
    };
    top.finish(sink);
    Table::open("`pollers`", Place::value(key, node.at), node, sink)
}

/// Puts environment variables and files in their places. Returns the jobs, by their number, for which that failed: they are
/// left out, and the others run.
fn resolve(root: &mut Node, dir: &Path, sink: &mut Sink<'_>) -> HashSet<usize> {
    let references = References { dir, strict: false, variable: &environment };
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

/// The settings of the file at `path`, and the files that it includes; its jobs go into `jobs`.
fn read_root(
    root: &Node,
    unresolved: &HashSet<usize>,
    path: &Path,
    jobs: &mut Jobs,
    sink: &mut Sink<'_>,
) -> Option<(Settings, Vec<(PathBuf, Place)>)> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut table = open(root, sink)?;
    let settings = Settings::read(&mut table, dir, sink);
    let own = key::JOBS.take(&mut table);
    let include = key::INCLUDE.take(&mut table);
    table.finish(sink);
    if let Some((key, node)) = own {
        jobs.take(key, node, unresolved, path, sink);
    }
    let files = |(key, node): (&Key, &Node)| include::files(node, &Place::value(key, node.at), dir, sink);
    Some((settings, include.map(files).unwrap_or_default()))
}
