use std::io::{self, IsTerminal};
use std::time::Duration;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};
use nexo_poller::runner::{JobPhase, JobStatus, TickReport, UnixMs};
use nexo_poller::store::Pause;
use serde_json::Value;

use crate::api::{CursorAnswer, Firings, ListAnswer, ReloadAnswer};
use crate::core::cursor_view::CursorView;
use crate::core::dry_run::DryRun;

/// In a terminal of fewer columns, a job's kind and agent are left out.
const NARROW: u16 = 90;

pub(super) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !io::stdout().is_terminal() {
        // In a pipe nothing is cut: programs and `grep` read whole lines.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !head.is_empty() {
        table.set_header(head.to_vec());
    }
    table
}

/// A line for each of `jobs`. In a terminal, which is so many columns wide, it is never more than one, and the job's name gives
/// way before what is said of it.
pub(super) fn job_table<'j>(jobs: impl Iterator<Item = &'j JobStatus>, terminal: Option<u16>) -> Table {
    let colours = terminal.is_some() && std::env::var_os("NO_COLOR").is_none_or(|said| said.is_empty());
    let mut rows = table(&[]);
    let add = |cells: [Cell; 8]| {
        let mut row = Row::from(cells);
        if terminal.is_some() {
            row.max_height(1);
        }
        row
    };
    rows.set_header(add(["JOB", "KIND", "AGENT", "PHASE", "LAST", "SUCCEEDED", "NEXT", "ERRORS"].map(Cell::new)));
    for job in jobs {
        let phase = Cell::new(job.phase.as_str());
        let phase = match colour_of(job.phase).filter(|_| colours) {
            Some(colour) => phase.fg(colour),
            None => phase,
        };
        rows.add_row(add([
            Cell::new(clean(&job.id)),
            Cell::new(clean(&job.kind)),
            Cell::new(clean(&job.agent)),
            phase,
            Cell::new(job.last_outcome.map_or("never", |outcome| outcome.as_str())),
            Cell::new(job.freshness_secs.map_or_else(|| "never".to_owned(), |secs| format!("{} ago", span(secs)))),
            Cell::new(job.next_due.map_or_else(|| "-".to_owned(), when)),
            Cell::new(job.consecutive_errors),
        ]));
    }
    if let Some(width) = terminal {
        rows.set_content_arrangement(ContentArrangement::Dynamic).set_width(width).set_truncation_indicator("…");
        for (index, column) in rows.column_iter_mut().enumerate() {
            column.set_constraint(match index {
                0 => ColumnConstraint::LowerBoundary(Width::Fixed(8)),
                1 | 2 if width < NARROW => ColumnConstraint::Hidden,
                _ => ColumnConstraint::ContentWidth,
            });
        }
    }
    rows
}

/// How wide the terminal is; `None` where stdout is none.
fn width() -> Option<u16> {
    let size = crossterm::terminal::size().ok().filter(|_| io::stdout().is_terminal());
    size.map(|(width, _)| width)
}

fn colour_of(phase: JobPhase) -> Option<Color> {
    match phase {
        JobPhase::BreakerOpen | JobPhase::Quarantined => Some(Color::Red),
        JobPhase::Backoff | JobPhase::Paused => Some(Color::Yellow),
        JobPhase::Running => Some(Color::Green),
        _ => None,
    }
}

pub(super) fn list(answer: &ListAnswer) -> String {
    let rows = job_table(answer.pollers.iter(), width());
    let mut text =
        if answer.pollers.is_empty() { "no job matches, or none is loaded".to_owned() } else { rows.trim_fmt() };
    if let Some(after) = &answer.next_after {
        let shown = counted(answer.pollers.len(), "job");
        text += &format!("\n{shown} of {}; go on with --after {}", answer.total, clean(after));
    }
    for refused in &answer.refused {
        text += &format!("\nnot loaded: {}", refused.problem);
    }
    text
}

pub(super) fn show(job: &JobStatus) -> String {
    let mut rows = table(&[]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.add_row([name.to_owned(), clean(&value)]);
        }
    };
    let instant = |at: Option<UnixMs>| at.map(|at| format!("{at} ({})", when(at)));
    row("job", Some(job.id.clone()));
    row("kind", Some(job.kind.clone()));
    row("agent", Some(job.agent.clone()));
    row("schedule", Some(job.schedule.clone()));
    row("phase", Some(job.phase.as_str().to_owned()));
    row("why", Some(job.why.clone()));
    row("next slot", instant(job.next_slot));
    row("next due", instant(job.next_due));
    row("running since", instant(job.running_since));
    row("last outcome", job.last_outcome.map(|outcome| outcome.as_str().to_owned()));
    row("last ended", instant(job.last_ended));
    row("last success", instant(job.last_success));
    row("last error", job.last_error.clone());
    row("first error", job.first_error.clone().filter(|first| job.last_error.as_ref() != Some(first)));
    row("errors in a row", Some(job.consecutive_errors.to_string()));
    row("breaker", Some(job.breaker.as_str().to_owned()));
    row("breaker until", instant(job.breaker_until));
    row("backoff until", instant(job.backoff_until));
    row("paused", job.paused.as_ref().map(paused));
    row("lease", job.lease.as_ref().map(|lease| format!("{} until {}", lease.owner, lease.until)));
    row("cursor", Some(counted(job.cursor_bytes, "byte")));
    row("ticks", Some(format!("{} ok, {} failed since the daemon started", job.ticks_ok, job.ticks_failed)));
    row("skipped", Some(format!("{} overlapping, {} missed", job.skipped_overlap, job.skipped_misfire)));
    rows.trim_fmt()
}

pub(super) fn report(report: &TickReport) -> String {
    let took = report.took.as_millis();
    let mut text = format!("`{}`: {} in {took} ms", clean(&report.job_id), report.outcome.as_str());
    if let Some(metrics) = report.metrics {
        text += &format!(", {} items seen, {} dispatched", metrics.items_seen, metrics.items_dispatched);
    }
    if let Some(error) = &report.error {
        text += &format!("\n{}", clean(error));
    }
    let id = clean(&report.job_id);
    text += &match report.next_due {
        Some(next) => format!("\nnext run {} ({next})", when(next)),
        None => format!("\nit does not run again by itself; `nexo-poller show {id}` says why"),
    };
    text
}

pub(super) fn next(job: &str, firings: &Firings) -> String {
    let mut lines: Vec<_> = firings.next.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push("no run is to come".to_owned());
    } else if let Some(pause) = &firings.paused {
        lines.push(format!("paused {}\nnone of these runs before `nexo-poller resume {job}`", paused(pause)));
    }
    lines.join("\n")
}

fn paused(pause: &Pause) -> String {
    clean(&format!("by {} at {}: {}", pause.by, pause.at, pause.reason))
}

pub(super) fn reload(answer: &ReloadAnswer, planned: bool) -> String {
    let mut lines = Vec::new();
    let verbs = if planned {
        ["would add", "would replace", "would remove", "would keep"]
    } else {
        ["added", "replaced", "removed", "kept"]
    };
    for (verb, ids) in verbs.iter().zip([&answer.plan.add, &answer.plan.replace, &answer.plan.remove]) {
        if !ids.is_empty() {
            lines.push(format!("{verb}: {}", ids.join(", ")));
        }
    }
    lines.push(format!("{}: {}", verbs[3], answer.plan.keep.len()));
    lines.extend(answer.plan.rejected.iter().map(|job| format!("not loaded: job `{}`: {}", job.id, job.reason)));
    lines.extend(answer.plugin_faults.iter().map(|fault| clean(fault)));
    lines.extend(answer.refused.iter().map(|refused| format!("not loaded: {}", refused.problem)));
    lines.join("\n")
}

pub(super) fn plugins(answer: &Value) -> String {
    let plugins = answer.get("plugins").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut rows = table(&["PLUGIN", "VERSION", "STATE", "KINDS", "WHY"]);
    for plugin in &plugins {
        let text = |key: &str| clean(plugin.get(key).and_then(Value::as_str).unwrap_or("-"));
        let kinds = plugin.get("kinds").and_then(Value::as_array).cloned().unwrap_or_default();
        let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).collect();
        rows.add_row([text("id"), text("version"), text("state"), clean(&kinds.join(", ")), text("why")]);
    }
    if plugins.is_empty() { "no plugins".to_owned() } else { rows.trim_fmt() }
}

/// What a tick would have done.
pub(super) fn dry_run(done: &DryRun) -> String {
    let mut lines = vec![format!("{} in {} ms; nothing was published or stored", done.outcome.as_str(), done.took_ms)];
    lines.extend(done.error.iter().map(|error| clean(error)));
    lines.push(format!("{} seen, {} dispatched", done.items_seen, done.items_dispatched));
    for message in &done.published {
        lines.push(format!("would publish on {}: {}", clean(&message.topic), clean(&message.payload.to_string())));
    }
    let line = |cursor: &Option<CursorView>| cursor.as_ref().map_or("none".to_owned(), |view| clean(&view.line()));
    match &done.next_cursor {
        Some(next) => lines.push(format!("cursor: {} -> {}", line(&done.cursor), clean(&next.line()))),
        None => lines.push(format!("cursor: {}, unchanged", line(&done.cursor))),
    }
    lines.join("\n")
}

pub(super) fn cursor(answer: &CursorAnswer) -> String {
    let line = |cursor: &Option<CursorView>| cursor.as_ref().map_or("none".to_owned(), |view| clean(&view.line()));
    let mut lines =
        vec![format!("cursor:   {}", line(&answer.cursor)), format!("previous: {}", line(&answer.previous))];
    lines.extend(answer.history.iter().map(|past| format!("{}: {}", past.written, line(&past.cursor))));
    lines.extend(answer.history_missing.iter().map(|why| format!("older ones cannot be shown: {}", clean(why))));
    lines.join("\n")
}

/// Lines of somebody else's.
pub(super) fn lines(lines: &Value) -> String {
    let lines: Vec<String> = lines.as_array().into_iter().flatten().filter_map(Value::as_str).map(clean).collect();
    if lines.is_empty() { "it has written nothing".to_owned() } else { lines.join("\n") }
}

/// One event on one line: when, what, which job, and the rest as it comes.
pub(super) fn event(name: &str, event: &Value) -> String {
    let text = |key: &str| event[key].as_str().map(clean).unwrap_or_default();
    let mut line = format!("{} {name:<9} {}", text("at"), text("job"));
    for key in ["outcome", "error", "reason", "owner"] {
        if let Some(value) = event[key].as_str() {
            line += &format!(" {}", clean(value));
        }
    }
    line.trim_end().to_owned()
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Control characters from elsewhere do not reach a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// How far away an instant is.
fn when(at: UnixMs) -> String {
    let now = UnixMs::from(chrono::Utc::now());
    if at > now {
        format!("in {}", span(at.since(now).as_secs()))
    } else {
        format!("{} ago", span(now.since(at).as_secs()))
    }
}

/// Seconds as a person says them: the two largest units.
fn span(secs: u64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut rest = Duration::from_secs(secs).as_secs();
    let mut parts = Vec::new();
    for (name, size) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{}{name}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_shows_its_two_largest_units() {
        for (secs, text) in [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3_600, "1h"), (90_061, "1d 1h")] {
            assert_eq!(span(secs), text);
        }
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert!(!clean("a\u{1b}[31mb\rc").chars().any(char::is_control));
    }
}
