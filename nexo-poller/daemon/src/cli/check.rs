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
use crate::plugins::config_check::{self, ConfigMistake, Judged};
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
    /// Configs that nobody could judge: the first tick will tell.
    not_checked: Vec<Problem>,
}

/// Checks everything that can be checked without a tick, and prints every problem.
pub(super) async fn check(config: &Path, json: bool) -> Exit {
    let found = look(config).await;
    let problems = found.problems.len();
    if json {
        let list = |problems: &[Problem]| problems.iter().map(as_json).collect::<Vec<Value>>();
        line_to_stdout(&print::pretty(&json!({
            "jobs": found.able,
            "problems": list(&found.problems),
            "warnings": list(&found.warnings),
            "not_checked": list(&found.not_checked),
        })));
    } else {
        for problem in &found.problems {
            line_to_stdout(&problem.to_string());
        }
        for warning in &found.warnings {
            line_to_stdout(&format!("warning: {warning}"));
        }
        for not_checked in &found.not_checked {
            line_to_stdout(&format!("not checked: {not_checked}"));
        }
        let file = config.display();
        let able = print::counted(found.able, "job");
        let mut rest = match found.warnings.len() {
            0 => String::new(),
            n => format!(", {}", print::counted(n, "warning")),
        };
        if !found.not_checked.is_empty() {
            rest += &format!(", {} not checked", print::counted(found.not_checked.len(), "config"));
        }
        line_to_stdout(&match problems {
            0 if rest.is_empty() => format!("{file}: {able}, all good"),
            0 => format!("{file}: {able}{rest}"),
            n => format!("{file}: {able} can run, {}{rest}", print::counted(n, "problem")),
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
    let mut able = specs.len();
    let mut not_checked = Vec::new();
    for (spec, judged) in check_configs(&specs, &plugins).await {
        let Some(job) = file.jobs.iter().find(|job| job.id == spec.id) else { continue };
        let at = |path: Option<&str>, message: String| {
            let key = path.and_then(|path| place_in_config(&job.file, &job.id, path));
            let place = Some(key.unwrap_or_else(|| job.config_place.clone()));
            Problem { file: job.file.display().to_string(), place, job: Some(job.id.clone()), message }
        };
        let kind = &spec.kind;
        match judged {
            Judged::Fits => {}
            Judged::Refused(mistakes) => {
                able -= 1;
                problems.extend(mistakes.iter().map(|mistake| {
                    at(mistake.path.as_deref(), format!("kind `{kind}` refuses the config: {}", mistake.message))
                }));
            }
            Judged::Not(why) => {
                let message = format!("nobody has judged the config for kind `{kind}`: {why}; the first tick will");
                not_checked.push(at(None, message));
            }
        }
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
    Found { able, problems, warnings, not_checked }
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

/// What was found out about the config of each job, in the file's order.
async fn check_configs<'s>(specs: &'s [JobSpec], plugins: &PluginSet) -> Vec<(&'s JobSpec, Judged)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    let mut judged: BTreeMap<usize, Judged> = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        if let Some(validated) = built_in::validate(&spec.kind, &spec.config) {
            let verdict = match validated {
                Ok(()) => Judged::Fits,
                Err(error) => Judged::Refused(vec![ConfigMistake::from(&error)]),
            };
            judged.insert(index, verdict);
            continue;
        }
        let Some(binary) = plugins.binary_of(&spec.kind).cloned() else {
            let plugin = plugins.remote_of(&spec.kind).unwrap_or_default();
            let why = format!("plugin `{plugin}` runs elsewhere, and its program is not here");
            judged.insert(index, Judged::Not(why));
            continue;
        };
        let (places, kind, config) = (Arc::clone(&places), spec.kind.clone(), spec.config.clone());
        asking.spawn(async move {
            let _place = places.acquire_owned().await;
            (index, config_check::ask(|| binary.command(), &kind, &config).await)
        });
    }
    judged.extend(asking.join_all().await);
    judged.into_iter().filter_map(|(index, judged)| Some((specs.get(index)?, judged))).collect()
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
