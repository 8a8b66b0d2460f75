use std::time::Duration;

use nexo_poller::runner::{FailureTarget, JobSpec, Schedule, ScheduleError};
use nexo_poller::store::UnixMs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::yaml::closest;
use crate::config::{JobEntry, Place, PollersFile, Problem, ScheduleEntry};

/// A job of the file that is not loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct RefusedJob {
    /// Its id, or `#3` for the third one where it has none.
    pub(crate) id: String,
    /// What is wrong, with its place.
    pub(crate) problem: String,
}

/// A schedule that is none.
#[derive(Debug, thiserror::Error)]
enum UnusableSchedule {
    #[error("`at` must be an instant with its offset, such as \"2026-04-26T15:00:00Z\"")]
    At(#[source] chrono::ParseError),
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
}

/// A kind that no plugin offers, with a hint at what may have been meant.
#[derive(Debug, thiserror::Error)]
#[error("no plugin offers the kind `{kind}`{hint}")]
struct UnknownKind {
    kind: String,
    hint: String,
}

impl From<&Problem> for RefusedJob {
    fn from(problem: &Problem) -> Self {
        Self { id: problem.job.clone().unwrap_or_default(), problem: problem.to_string() }
    }
}

/// The file's jobs as the runner takes them, and every reason why others are left out. `kinds` are those that are offered.
pub(crate) fn specs_of(file: &PollersFile, kinds: &[String]) -> (Vec<JobSpec>, Vec<Problem>) {
    let mut problems = file.problems.clone();
    let mut specs = Vec::with_capacity(file.jobs.len());
    for job in &file.jobs {
        let refuse = |place: &Place, error: &dyn std::error::Error| Problem {
            file: job.file.display().to_string(),
            place: Some(place.clone()),
            job: Some(job.id.clone()),
            message: error.to_string(),
        };
        let schedule = schedule_of(&job.schedule).map_err(|error| refuse(&job.schedule_place, &error));
        let kind = known(&job.kind, kinds).map_err(|error| refuse(&job.kind_place, &error));
        match (schedule, kind) {
            (Ok(schedule), Ok(())) => specs.push(spec_of(job, schedule)),
            (schedule, kind) => problems.extend([schedule.err(), kind.err()].into_iter().flatten()),
        }
    }
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line(), place.column())));
    (specs, problems)
}

fn spec_of(job: &JobEntry, schedule: Schedule) -> JobSpec {
    let mut spec = JobSpec::new(&job.id, &job.kind, &job.agent, schedule).with_config(job.config.clone());
    spec.failure_to = job.failure_to.as_ref().map(|(channel, to)| FailureTarget::new(channel, to));
    spec.paused_on_boot = job.paused_on_boot;
    spec.catch_up = job.catch_up;
    spec
}

fn known(kind: &str, kinds: &[String]) -> Result<(), UnknownKind> {
    if kinds.iter().any(|known| known == kind) {
        return Ok(());
    }
    let hint = match closest(kind, kinds.iter().map(String::as_str)) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if kinds.is_empty() => "; no plugin is loaded: set `plugins:` to their directory".to_owned(),
        None => format!("; known are {}", kinds.join(", ")),
    };
    Err(UnknownKind { kind: kind.to_owned(), hint })
}

fn schedule_of(entry: &ScheduleEntry) -> Result<Schedule, UnusableSchedule> {
    let (schedule, jitter_ms) = match entry {
        ScheduleEntry::EverySecs { secs, jitter_ms } => (Schedule::every(Duration::from_secs(*secs)), jitter_ms),
        ScheduleEntry::Every { every, jitter_ms } => (Schedule::parse_every(every), jitter_ms),
        ScheduleEntry::Cron { cron, tz, jitter_ms } => (Schedule::cron(cron, tz.as_deref()), jitter_ms),
        ScheduleEntry::At { at } => {
            let instant = at.parse::<chrono::DateTime<chrono::Utc>>().map_err(UnusableSchedule::At)?;
            return Ok(Schedule::at(UnixMs::from(instant)));
        }
    };
    let schedule = schedule?;
    match jitter_ms {
        None => Ok(schedule),
        Some(ms) => Ok(schedule.with_jitter(Duration::from_millis(*ms))?),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn said(job: &str) -> String {
        let text = format!("pollers:\n  jobs:\n    - {{id: a, agent: ana, {job}}}\n");
        let file = PollersFile::parse(&text, Path::new("pollers.yaml")).unwrap();
        let (specs, problems) = specs_of(&file, &["rss".to_owned(), "jira".to_owned()]);
        assert_eq!(specs.len() + usize::from(!problems.is_empty()), 1);
        problems
            .iter()
            .map(|problem| problem.to_string().lines().next().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn each_form_of_schedule_becomes_one_of_the_runner() {
        for schedule in [
            "{every_secs: 300}",
            "{every: 1h 30m, stagger_jitter_ms: 10}",
            "{cron: '*/5 * * * *'}",
            "{cron: '0 30 9 * * Mon-Fri', tz: America/Bogota}",
            "{at: '2026-04-26T15:00:00Z'}",
            "{at: '2026-04-26T15:00:00+02:00'}",
        ] {
            assert_eq!(said(&format!("kind: rss, schedule: {schedule}")), "", "{schedule}");
        }
    }

    #[test]
    fn a_schedule_or_kind_that_is_none_is_reported_where_it_stands() {
        for (job, expected) in [
            ("kind: rss, schedule: {every: 5 parsecs}", "is not a duration"),
            ("kind: rss, schedule: {cron: '0 0 30 2 *'}", "never fires"),
            ("kind: rss, schedule: {cron: '* *'}", "is not a cron expression"),
            ("kind: rss, schedule: {cron: '* * * * *', tz: Mars/Base}", "is not an IANA time zone"),
            ("kind: rss, schedule: {at: tomorrow}", "must be an instant with its offset"),
            ("kind: rs, schedule: {every: 5m}", "no plugin offers the kind `rs`; did you mean `rss`?"),
            ("kind: gmail, schedule: {every: 5m}", "no plugin offers the kind `gmail`; known are rss, jira"),
        ] {
            let said = said(job);
            assert!(said.contains(expected), "{said}");
            assert!(said.starts_with("pollers.yaml:3:"), "{said}");
        }
    }
}
