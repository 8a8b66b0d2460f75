use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::{JobEntry, Problem, Settings};
use crate::daemon::yaml::{Node, Place, References, Sink, Table, Yaml, environment, parse};

/// A `pollers.yaml` that can be used, and what is wrong with single jobs of it.
#[derive(Debug, Clone)]
pub struct PollersFile {
    /// The file.
    pub path: PathBuf,
    /// What it says besides its jobs.
    pub settings: Settings,
    /// The jobs that can be read.
    pub jobs: Vec<JobEntry>,
    /// Why others are left out.
    pub problems: Vec<Problem>,
    /// How many jobs the file has, left-out ones included.
    pub found: usize,
}

/// A `pollers.yaml` that cannot be used at all: every problem found in it.
#[derive(Debug)]
pub struct RefusedFile {
    /// At least one.
    pub problems: Vec<Problem>,
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
    pub fn load(path: &Path) -> Result<Self, RefusedFile> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot be read: {error}; name another file with -c");
            let problem = Problem { file: path.display().to_string(), place: None, job: None, message };
            RefusedFile { problems: vec![problem] }
        })?;
        Self::parse(&text, path)
    }

    /// Reads `text` as the content of the file at `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str, path: &Path) -> Result<Self, RefusedFile> {
        let file = path.display().to_string();
        let mut root = parse(text, &file).map_err(|problem| RefusedFile { problems: vec![*problem] })?;
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let dir = path.parent().unwrap_or(Path::new(""));
        let unresolved = resolve(&mut root, dir, &mut sink);
        let read = read_root(&root, &unresolved, dir, &mut sink);
        let (fatal, of_jobs): (Vec<_>, Vec<_>) = sink.problems.into_iter().partition(|problem| problem.job.is_none());
        match read {
            Some((settings, jobs, found)) if fatal.is_empty() => {
                Ok(Self { path: path.to_owned(), settings, jobs, problems: of_jobs, found })
            }
            _ => {
                let mut problems = fatal;
                problems.extend(of_jobs);
                problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line(), place.column())));
                Err(RefusedFile { problems })
            }
        }
    }
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
            if key.name == "jobs" {
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

fn read_root(
    root: &Node,
    unresolved: &HashSet<usize>,
    dir: &Path,
    sink: &mut Sink<'_>,
) -> Option<(Settings, Vec<JobEntry>, usize)> {
    let mut top = Table::open("the file", Place::item(root.at), root, sink)?;
    let Some((key, node)) = top.take("pollers") else {
        sink.add(top.place(), "the file needs a `pollers:` with something in it; everything stands under that key");
        top.finish(sink);
        return None;
    };
    top.finish(sink);
    let mut table = Table::open("`pollers`", Place::value(key, node.at), node, sink)?;
    let settings = Settings::read(&mut table, dir, sink);
    let jobs = table.take("jobs");
    table.finish(sink);
    let Some((key, node)) = jobs else { return Some((settings, Vec::new(), 0)) };
    let Yaml::List(items) = &node.value else {
        let message = format!("`jobs` must be a list (`- id: …` lines), found {}", node.value.noun());
        sink.add(Place::value(key, node.at), message);
        return None;
    };
    let mut jobs = Vec::with_capacity(items.len());
    let mut lines: HashMap<String, u32> = HashMap::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        // Until its id is known, a job goes by its number.
        sink.job = Some(format!("#{}", index + 1));
        let Some(job) = JobEntry::read(item, sink).filter(|_| !unresolved.contains(&index)) else { continue };
        match lines.get(&job.id) {
            Some(line) => {
                let message = format!("the id is taken by the job on line {line}; ids are unique, choose another");
                sink.add(job.id_place.clone(), message);
            }
            None => {
                lines.insert(job.id.clone(), job.id_place.line());
                jobs.push(job);
            }
        }
    }
    sink.job = None;
    Some((settings, jobs, items.len()))
}
