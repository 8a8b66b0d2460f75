use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use nexo_poller::runner::{Clock as _, JobSpec, SystemClock};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::print;
use crate::api::{RemoteAccess, Unprepared};
use crate::config::credentials;
use crate::config::specs::specs_of;
use crate::config::state_folder::{self, StateFolderError};
use crate::config::{PollersFile, Problem, place_in_config};
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;
use crate::plugins::built_in;
use crate::plugins::config_check::{self, ConfigMistake};
use crate::plugins::set::PluginSet;

/// Configs that are judged at once, a process each.
const AT_ONCE: usize = 8;

/// What `check` has found.
#[derive(Default)]
struct Found {
    /// Jobs that can run.
    able: usize,
    problems: Vec<Problem>,
    /// What no runner refuses and nobody wants: it is told, and is no reason to fail.
    warnings: Vec<Problem>,
}

/// Checks everything that can be checked without a tick, and prints every problem.
pub(super) async fn check(config: &Path, json: bool) -> Exit {
    let found = look(config).await;
    let problems = found.problems.len();
    if json {
        let list = |problems: &[Problem]| problems.iter().map(as_json).collect::<Vec<Value>>();
        let (problems, warnings) = (list(&found.problems), list(&found.warnings));
        line_to_stdout(&print::pretty(&json!({ "jobs": found.able, "problems": problems, "warnings": warnings })));
    } else {
        for problem in &found.problems {
            line_to_stdout(&problem.to_string());
        }
        for warning in &found.warnings {
            line_to_stdout(&format!("warning: {warning}"));
        }
        let file = config.display();
        let able = print::counted(found.able, "job");
        let warned = match found.warnings.len() {
            0 => String::new(),
            n => format!(", {}", print::counted(n, "warning")),
        };
        line_to_stdout(&match (problems, found.warnings.len()) {
            (0, 0) => format!("{file}: {able}, all good"),
            (0, _) => format!("{file}: {able}{warned}"),
            (n, _) => format!("{file}: {able} can run, {}{warned}", print::counted(n, "problem")),
        });
    }
    if problems == 0 { Exit::Ok } else { Exit::Config }
}

async fn look(config: &Path) -> Found {
    let file = match PollersFile::load(config) {
        Ok(file) => file,
        Err(refused) => return Found { problems: refused.problems, ..Found::default() },
    };
    let mut problems = Vec::new();
    if let Some(path) = &file.settings.credentials
        && let Err(refused) = credentials::load(path)
    {
        problems.extend(refused.problems);
    }
    let plugins = match PluginSet::discover(&file.settings).await {
        Ok(plugins) => plugins,
        Err(conflict) => {
            let (shown, message) = (config.display().to_string(), conflict.to_string());
            problems.push(Problem { file: shown, place: None, job: None, message });
            problems.extend(file.problems);
            return Found { problems, ..Found::default() };
        }
    };
    problems.extend(plugins.problems(&file));
    let (specs, of_jobs) = specs_of(&file, &plugins.kinds());
    problems.extend(of_jobs);
    let refusals = check_configs(&specs, &plugins).await;
    let able = specs.len() - refusals.len();
    for (spec, mistake) in refusals.iter().flat_map(|(spec, mistakes)| mistakes.iter().map(move |one| (spec, one))) {
        let Some(job) = file.jobs.iter().find(|job| job.id == spec.id) else { continue };
        let key = mistake.path.as_deref().and_then(|path| place_in_config(&job.file, &job.id, path));
        let place = Some(key.unwrap_or_else(|| job.config_place.clone()));
        let message = format!("kind `{}` refuses the config: {}", spec.kind, mistake.message);
        problems.push(Problem { file: job.file.display().to_string(), place, job: Some(job.id.clone()), message });
    }
    let mut warnings = past_instants(&file, &specs);
    match unsafe_state(&file) {
        None => problems.extend(unwritable_state(&file)),
        Some(error) => {
            // Who checks a file may not be the user that the daemon runs as.
            let is_problem = !matches!(error, StateFolderError::OfAnother { .. });
            let list = if is_problem { &mut problems } else { &mut warnings };
            let message = error.to_string();
            list.push(Problem { file: file.path.display().to_string(), place: None, job: None, message });
        }
    }
    warnings.extend(plugins.warnings(&file));
    if let Err(unprepared) = RemoteAccess::of(&file.settings.admin) {
        // A token may be in the environment of the service, which is not ours.
        let is_problem = !matches!(unprepared, Unprepared::NoToken { .. });
        let list = if is_problem { &mut problems } else { &mut warnings };
        let message = unprepared.to_string();
        list.push(Problem { file: file.path.display().to_string(), place: None, job: None, message });
    }
    Found { able, problems, warnings }
}

fn past_instants(file: &PollersFile, specs: &[JobSpec]) -> Vec<Problem> {
    let now = SystemClock.now();
    let over = specs.iter().filter(|spec| spec.schedule.firings_after(now, 1, &spec.id).is_empty());
    let warning = |spec: &JobSpec| {
        let job = file.jobs.iter().find(|job| job.id == spec.id)?;
        let message = "its instant has passed: it runs once where it never ran, and then no more".to_owned();
        let place = Some(job.schedule_place.clone());
        Some(Problem { file: job.file.display().to_string(), place, job: Some(job.id.clone()), message })
    };
    over.filter_map(warning).collect()
}

/// Why job state is not safe where the file keeps it.
fn unsafe_state(file: &PollersFile) -> Option<StateFolderError> {
    state_folder::judge(file.settings.state_db.parent()?).err()
}

fn unwritable_state(file: &PollersFile) -> Option<Problem> {
    if file.settings.broker.as_ref().is_some_and(|broker| broker.state.is_some()) {
        return None;
    }
    let message = unwritable(&file.settings.state_db)?;
    Some(Problem { file: file.path.display().to_string(), place: None, job: None, message })
}

/// Why job state cannot be written at `state`, as far as can be seen without writing.
fn unwritable(state: &Path) -> Option<String> {
    let dir = state.ancestors().skip(1).find(|dir| dir.as_os_str().is_empty() || dir.exists())?;
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    if state.is_dir() {
        return Some(format!("`state_db`: {} is a directory; it must be a file", state.display()));
    }
    if !dir.is_dir() {
        return Some(format!("`state_db`: {} is not a directory", dir.display()));
    }
    let target = if state.exists() { state } else { dir };
    rustix::fs::access(target, rustix::fs::Access::WRITE_OK)
        .err()
        .map(|error| format!("`state_db`: {} cannot be written: {error}", target.display()))
}

/// The jobs whose config their plugin refuses, and what is wrong with each, in the file's order.
async fn check_configs<'s>(specs: &'s [JobSpec], plugins: &PluginSet) -> Vec<(&'s JobSpec, Vec<ConfigMistake>)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    let mut refusals: BTreeMap<usize, Vec<ConfigMistake>> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        if let Some(Err(error)) = built_in::validate(&spec.kind, &spec.config) {
            refusals.insert(index, vec![ConfigMistake::from(&error)]);
        }
        let Some(binary) = plugins.binary_of(&spec.kind).cloned() else { continue };
        let (places, kind, config) = (Arc::clone(&places), spec.kind.clone(), spec.config.clone());
        asking.spawn(async move {
            let _place = places.acquire_owned().await;
            (index, config_check::ask(|| binary.command(), &kind, &config).await)
        });
    }
    refusals.extend(asking.join_all().await.into_iter().filter(|(_, mistakes)| !mistakes.is_empty()));
    refusals.into_iter().filter_map(|(index, mistakes)| Some((specs.get(index)?, mistakes))).collect()
}

fn as_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": problem.place.as_ref().map(crate::config::Place::line),
        "column": problem.place.as_ref().map(crate::config::Place::column),
        "job": problem.job,
        "message": problem.message,
    })
}
