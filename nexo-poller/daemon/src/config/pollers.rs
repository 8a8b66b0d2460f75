use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use nexo_poller::unstable::read_regular_file;

use crate::config::include::{self, Included};
use crate::config::jobs::{Jobs, MOST, open, resolve};
use crate::config::keys::settings as key;
use crate::config::own::Own;
use crate::config::yaml::{Key, Node, Place, References, Sink, parse};
use crate::config::{JobEntry, PluginEntry, Problem, Settings};

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
        Self::parse(&Self::text_of(path)?, path)
    }

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// [`RefusedFile`] where it cannot be read.
    pub(crate) fn text_of(path: &Path) -> Result<String, RefusedFile> {
        read_regular_file(path, MOST).map_err(|error| {
            let message = format!("cannot be read: {error}; name another file with -c");
            let problem = Problem { file: path.display().to_string(), place: None, job: None, message };
            RefusedFile { problems: vec![problem] }
        })
    }

    /// The settings of the file at `path`, whatever is wrong with its jobs and with the files that it includes: enough to find
    /// the daemon that runs it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn settings_of(path: &Path) -> Result<Settings, RefusedFile> {
        let file = path.display().to_string();
        let mut root =
            parse(&Self::text_of(path)?, &file).map_err(|problem| RefusedFile { problems: vec![*problem] })?;
        let mut sink = Sink { file: &file, job: None, problems: Vec::new() };
        let dir = path.parent().unwrap_or(Path::new(""));
        PluginEntry::forget_unset(&mut root, &References::lenient(dir, &Own));
        resolve(&mut root, dir, &Own, &mut sink);
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
        let unresolved = resolve(&mut root, dir, &Own, &mut sink);
        let mut jobs = Jobs::with_room(MOST.saturating_sub(text.len() as u64));
        let read = read_root(&root, &unresolved, path, &mut jobs, &mut sink);
        let mut problems = sink.problems;
        let settings = read.map(|(settings, included)| {
            for included in included {
                problems.extend(jobs.include(&included, &file));
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

/// The settings of the file at `path`, and the files that it includes; its jobs go into `jobs`.
fn read_root(
    root: &Node,
    unresolved: &HashSet<usize>,
    path: &Path,
    jobs: &mut Jobs,
    sink: &mut Sink<'_>,
) -> Option<(Settings, Vec<Included>)> {
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut table = open(root, sink)?;
    let settings = Settings::read(&mut table, dir, sink);
    let own = key::JOBS.take(&mut table);
    let include = key::INCLUDE.take(&mut table);
    table.finish(sink);
    if let Some((key, node)) = own {
        jobs.take(key, node, unresolved, path, None, sink);
    }
    let included = |(key, node): (&Key, &Node)| {
        include::files(node, &Place::value(key, node.at), path, &settings.secret_files(path), sink)
    };
    let included = include.map(included).unwrap_or_default();
    Some((settings, included))
}
