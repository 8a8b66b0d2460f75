use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::print;
use crate::daemon::built_in;
use crate::daemon::credentials;
use crate::daemon::exit::Exit;
use crate::daemon::file::{PollersFile, Problem};
use crate::daemon::jobs::specs_of;
use crate::daemon::plugin_set::PluginSet;

/// Configs that are judged at once, a process each.
const AT_ONCE: usize = 8;

/// Checks everything that can be checked without a tick, and prints every problem.
pub(super) async fn check(config: &Path, json: bool) -> Exit {
    let (jobs, problems) = problems_of(config).await;
    if json {
        let problems: Vec<Value> = problems.iter().map(as_json).collect();
        print::line_to_stdout(&print::pretty(&json!({ "jobs": jobs, "problems": problems })));
    } else {
        for problem in &problems {
            print::line_to_stdout(&problem.to_string());
        }
        let file = config.display();
        let able = print::counted(jobs, "job");
        print::line_to_stdout(&match problems.len() {
            0 => format!("{file}: {able}, all good"),
            n => format!("{file}: {able} can run, {}", print::counted(n, "problem")),
        });
    }
    if problems.is_empty() { Exit::Ok } else { Exit::Config }
}

/// How many jobs can run, and every problem.
async fn problems_of(config: &Path) -> (usize, Vec<Problem>) {
    let file = match PollersFile::load(config) {
        Ok(file) => file,
        Err(refused) => return (0, refused.problems),
    };
    let mut problems = Vec::new();
    if let Some(path) = &file.settings.credentials
        && let Err(refused) = credentials::load(path)
    {
        problems.extend(refused.problems);
    }
    let plugins = match PluginSet::discover(&file.settings).await {
        Ok(plugins) => plugins,
        Err(message) => {
            let path = config.display().to_string();
            problems.push(Problem { file: path, place: None, job: None, message });
            problems.extend(file.problems);
            return (0, problems);
        }
    };
    problems.extend(plugins.problems(&file));
    let (specs, of_jobs) = specs_of(&file, &plugins.kinds());
    problems.extend(of_jobs);
    let refusals = judge_configs(&specs, &plugins).await;
    let runnable = specs.len() - refusals.len();
    for (id, message) in refusals {
        let place = file.jobs.iter().find(|job| job.id == id).map(|job| job.config_place.clone());
        problems.push(Problem { file: config.display().to_string(), place, job: Some(id), message });
    }
    (runnable, problems)
}

/// The jobs whose config their plugin refuses, and its words, in the file's order.
async fn judge_configs(specs: &[crate::runner::JobSpec], plugins: &PluginSet) -> Vec<(String, String)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    let mut refusals: Vec<(usize, String)> = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        if let Some(judged) = built_in::judge(&spec.kind, &spec.config) {
            refusals.extend(judged.err().map(|error| (index, error.to_string())));
        }
        let Some(command) = plugins.command_of(&spec.kind) else { continue };
        let (places, kind, config) = (Arc::clone(&places), spec.kind.clone(), spec.config.clone());
        asking.spawn(async move {
            let _place = places.acquire_owned().await;
            (index, crate::daemon::config_check::ask(command, &kind, &config).await)
        });
    }
    refusals.extend(asking.join_all().await.into_iter().filter_map(|(index, judged)| Some((index, judged.err()?))));
    refusals.sort_unstable();
    refusals
        .into_iter()
        .filter_map(|(index, reason)| {
            let spec = specs.get(index)?;
            let reason = reason.strip_prefix("config: ").unwrap_or(&reason);
            Some((spec.id.clone(), format!("kind `{}` refuses the config: {reason}", spec.kind)))
        })
        .collect()
}

fn as_json(problem: &Problem) -> Value {
    json!({
        "file": problem.file,
        "line": problem.place.as_ref().map(crate::daemon::file::Place::line),
        "column": problem.place.as_ref().map(crate::daemon::file::Place::column),
        "job": problem.job,
        "message": problem.message,
    })
}
