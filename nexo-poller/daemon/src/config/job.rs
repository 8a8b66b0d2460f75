use std::fmt;
use std::path::Path;
use std::sync::Arc;

use nexo_poller::runner::{CatchUp, check_job_id};
use serde_json::{Map, Value};

use crate::config::keys::{Key, NAME_RULE, Required, Text, job as key, schedule};
use crate::config::yaml::{Node, Place, Sink, Table, Yaml};

/// One job as the file has it: readable, its schedule and config not yet judged.
#[derive(Clone, PartialEq)]
pub(crate) struct JobEntry {
    /// The file that it stands in.
    pub(crate) file: Arc<Path>,
    /// `id`.
    pub(crate) id: String,
    /// Where the id stands.
    pub(crate) id_place: Place,
    /// `kind`.
    pub(crate) kind: String,
    /// Where the kind stands.
    pub(crate) kind_place: Place,
    /// `agent`.
    pub(crate) agent: String,
    /// Where the agent stands.
    pub(crate) agent_place: Place,
    /// `schedule`.
    pub(crate) schedule: ScheduleEntry,
    /// Where the schedule stands.
    pub(crate) schedule_place: Place,
    /// `config`; an empty mapping where the job has none.
    pub(crate) config: Value,
    /// Where the config stands.
    pub(crate) config_place: Place,
    /// `failure_to`, as channel and recipient.
    pub(crate) failure_to: Option<(String, String)>,
    /// `paused_on_boot`.
    pub(crate) paused_on_boot: bool,
    /// `catch_up`.
    pub(crate) catch_up: CatchUp,
}

/// A schedule as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScheduleEntry {
    /// `every_secs: 300`.
    EverySecs {
        /// Seconds.
        secs: u64,
        /// `stagger_jitter_ms`.
        jitter_ms: Option<u64>,
    },
    /// `every: 5m`.
    Every {
        /// A length of time.
        every: String,
        /// `stagger_jitter_ms`.
        jitter_ms: Option<u64>,
    },
    /// `cron: "0 */5 * * * *"`.
    Cron {
        /// The expression.
        cron: String,
        /// `tz`: an IANA zone.
        tz: Option<String>,
        /// `stagger_jitter_ms`.
        jitter_ms: Option<u64>,
    },
    /// `at: "2026-04-26T15:00:00Z"`.
    At {
        /// An instant.
        at: String,
    },
}

impl JobEntry {
    /// Reads one item of `jobs`. `None` where it cannot be a job; `sink` knows why.
    pub(super) fn read(node: &Node, file: &Arc<Path>, sink: &mut Sink<'_>) -> Option<Self> {
        let before = sink.problems.len();
        let mut table = Table::open("a job", Place::item(node.at), node, sink)?;
        let id = key::ID.read(&mut table, sink);
        if let Some((id, place)) = &id {
            // Problems found before the id was read belong to the job as well.
            sink.job = Some(id.clone());
            sink.problems.iter_mut().skip(before).for_each(|problem| problem.job = Some(id.clone()));
            if let Err(error) = check_job_id(id) {
                sink.add(place.clone(), error.to_string());
            } else if !key::ID.takes(id) {
                sink.add(place.clone(), format!("`id` is not a name: {NAME_RULE}"));
            }
        }
        let kind = key::KIND.read(&mut table, sink);
        if let Some((kind, place)) = &kind
            && let Err(error) = nexo_poller::contract::check_kind(kind)
        {
            sink.add(place.clone(), error.to_string());
        }
        let agent = read_name(&key::AGENT, &mut table, sink);
        let schedule = read_schedule(&mut table, sink);
        let (config, config_place) = read_config(&mut table, sink);
        let failure_to = read_target(&mut table, sink);
        let paused_on_boot = key::PAUSED_ON_BOOT.read(&mut table, sink);
        let catch_up = key::CATCH_UP.read(&mut table, sink);
        table.finish(sink);
        if sink.problems.len() > before {
            return None;
        }
        let ((id, id_place), (kind, kind_place), (agent, agent_place)) = (id?, kind?, agent?);
        let (schedule, schedule_place) = schedule?;
        let catch_up = catch_up?;
        Some(Self {
            file: Arc::clone(file),
            id,
            id_place,
            kind,
            kind_place,
            agent,
            agent_place,
            schedule,
            schedule_place,
            config,
            config_place,
            failure_to,
            paused_on_boot,
            catch_up,
        })
    }
}

fn read_name(key: &Key<Required<Text>>, table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, Place)> {
    let (name, place) = key.read(table, sink)?;
    if key.takes(&name) {
        return Some((name, place));
    }
    sink.add(place, format!("`{}` is not a valid name: {NAME_RULE}", key.name));
    None
}

fn read_schedule(job: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(ScheduleEntry, Place)> {
    let forms = schedule::forms;
    let Some((key, node)) = key::SCHEDULE.take(job) else {
        if !job.is_misspelled(key::SCHEDULE.name) {
            sink.add(job.place(), format!("a job needs a `schedule` with one of {}", forms()));
        }
        return None;
    };
    let place = Place::value(key, node.at);
    if !matches!(node.value, Yaml::Map(_)) {
        sink.add(place, format!("`schedule` must be a mapping with one of {}, found {}", forms(), node.value.noun()));
        return None;
    }
    let before = sink.problems.len();
    let mut table = Table::open("`schedule`", place.clone(), node, sink)?;
    let secs = schedule::EVERY_SECS.read(&mut table, sink);
    let every = read_every(&mut table, sink);
    let cron = schedule::CRON.read(&mut table, sink);
    let tz = schedule::TZ.read(&mut table, sink);
    let at = schedule::AT.read(&mut table, sink);
    let jitter_ms = schedule::STAGGER_JITTER_MS.read(&mut table, sink);
    table.finish(sink);
    if let Some((_, tz_place)) = tz.as_ref().filter(|_| cron.is_none()) {
        sink.add(tz_place.clone(), "`tz` belongs to `cron`; intervals and instants need no time zone");
    }
    let tz = tz.map(|(tz, _)| tz);
    let entry = match (secs, every, cron, at) {
        (Some(secs), None, None, None) => ScheduleEntry::EverySecs { secs, jitter_ms },
        (None, Some((every, _)), None, None) => ScheduleEntry::Every { every, jitter_ms },
        (None, None, Some((cron, _)), None) => ScheduleEntry::Cron { cron, tz, jitter_ms },
        (None, None, None, Some((at, _))) if jitter_ms.is_none() => ScheduleEntry::At { at },
        (None, None, None, Some(_)) => {
            sink.add(place, "`stagger_jitter_ms` does not go with `at`, which is one instant");
            return None;
        }
        // What stands in its place was reported there.
        (None, None, None, None) if sink.problems.len() > before => return None,
        _ => {
            sink.add(place, format!("`schedule` needs exactly one of {}", forms()));
            return None;
        }
    };
    Some((entry, place))
}

/// `every` with its unit.
fn read_every(table: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, Place)> {
    let bare = table.peek(schedule::EVERY.name).and_then(|(key, node)| match &node.value {
        Yaml::Number(number) => Some((Place::value(key, node.at), number.to_string())),
        _ => None,
    });
    let Some((place, number)) = bare else { return schedule::EVERY.read(table, sink) };
    schedule::EVERY.take(table);
    sink.add(
        place,
        format!(
            "`every: {number}` has no unit: write `every: {number}s` or `every: {number}m`, or `every_secs: {number}`"
        ),
    );
    None
}

fn read_config(job: &mut Table<'_>, sink: &mut Sink<'_>) -> (Value, Place) {
    let Some((key, node)) = key::CONFIG.take(job) else { return (Value::Object(Map::new()), job.place()) };
    let place = Place::value(key, node.at);
    if !matches!(node.value, Yaml::Map(_)) {
        sink.add(place.clone(), format!("`config` must be a mapping, found {}", node.value.noun()));
    }
    refuse_repeated_keys(node, sink);
    (node.to_json(), place)
}

/// A key that stands twice in a config is a slip whose winner nobody can guess.
fn refuse_repeated_keys(node: &Node, sink: &mut Sink<'_>) {
    match &node.value {
        Yaml::List(items) => items.iter().for_each(|item| refuse_repeated_keys(item, sink)),
        Yaml::Map(fields) => {
            let mut seen = std::collections::HashMap::new();
            for (key, value) in fields {
                if let Some(line) = seen.insert(key.name.as_str(), key.at.line) {
                    let message = format!("`{}` stands twice, the first time on line {line}", key.name);
                    sink.add(Place::key(key), message);
                }
                refuse_repeated_keys(value, sink);
            }
        }
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {}
    }
}

fn read_target(job: &mut Table<'_>, sink: &mut Sink<'_>) -> Option<(String, String)> {
    let mut table = key::FAILURE_TO.open(job, sink)?;
    let channel = read_name(&key::CHANNEL, &mut table, sink);
    if let Some((channel, place)) = &channel
        && let Err(error) = nexo_poller::contract::check_topic(channel)
    {
        sink.add(place.clone(), format!("`channel` is a part of a topic: {error}"));
    }
    let to = key::TO.read(&mut table, sink);
    table.finish(sink);
    Some((channel?.0, to?.0))
}

/// Shows no config: it may hold a secret.
impl fmt::Debug for JobEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobEntry")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("agent", &self.agent)
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}
