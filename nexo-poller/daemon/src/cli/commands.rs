use std::io::{self, IsTerminal as _};
use std::time::Duration;

use nexo_poller::runner::{JobStatus, TickReport};
use nexo_poller::store::RunOutcome;
use serde_json::{Value, json};

use super::args::{Args, Command, Wanted};
use super::client::{Client, ClientError, job_path, percent_encoded};
use super::waiting::wait_for;
use crate::api::{CursorAnswer, Firings, ListAnswer, ReloadAnswer};
use crate::cli::{events, print, ready, top};
use crate::core::cursor_view::CursorOrder;
use crate::core::dry_run::DryRun;
use crate::core::exit::Exit;
use crate::core::terminal::{line_to_stderr, line_to_stdout};

/// Asks the running daemon.
pub(super) async fn ask(command: &Command, args: &Args) -> Result<Exit, ClientError> {
    if let Command::Reset { job, yes: false } = command
        && !confirm(job)
    {
        let sentence = format!("`reset` forgets the cursor of `{job}`: items may be announced again; add --yes");
        return Err(ClientError::new(Exit::Failed, sentence));
    }
    let daemon = Client::of(&args.config, &args.place)?;
    let answer = match command {
        Command::List(wanted) => daemon.get::<Value>(&list_path(wanted)).await?,
        Command::Plugins => daemon.get("/admin/plugins").await?,
        Command::Show { job } => daemon.get(&job_path(job)).await?,
        Command::Next { job, count } => daemon.get(&format!("{}/next?n={count}", job_path(job))).await?,
        Command::Run { job } => {
            let job = job.as_deref().unwrap_or_default();
            let path = format!("{}/run", job_path(job));
            wait_for(&format!("one tick of `{job}`"), daemon.post_work(&path, &json!({}))).await?
        }
        Command::DryRun { job } => {
            let path = format!("{}/dry-run", job_path(job));
            wait_for(&format!("a dry run of `{job}`"), daemon.post_work(&path, &json!({}))).await?
        }
        Command::Cursor { job, .. } => {
            let path = format!("{}/cursor", job_path(job));
            match cursor_order(command) {
                Some(order) => daemon.put(&path, &json!(order)).await?,
                None => daemon.get(&path).await?,
            }
        }
        Command::Logs { plugin } => daemon.get(&format!("/admin/plugins/{}/log", percent_encoded(plugin))).await?,
        Command::Top { every } => return top::top(&daemon, Duration::from_secs_f64(*every)).await,
        Command::Ready => return ready::ready(&daemon, args.json).await,
        Command::Events { job } => return events::follow(&daemon, job.as_deref(), args.json).await,
        Command::Pause { job, reason, by } => {
            daemon.post(&format!("{}/pause", job_path(job)), &json!({ "reason": reason, "by": by })).await?
        }
        Command::Resume { job } => daemon.post(&format!("{}/resume", job_path(job)), &json!({})).await?,
        Command::Reset { job, .. } => daemon.post(&format!("{}/reset", job_path(job)), &json!({})).await?,
        Command::Reload { plan } => {
            let path = format!("/admin/pollers/reload?plan={plan}");
            wait_for("the reload", daemon.post_work(&path, &json!({}))).await?
        }
        Command::Backup { .. }
        | Command::Check
        | Command::Schema
        | Command::Doctor { .. }
        | Command::NatsPermissions { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => {
            return Err(ClientError::new(Exit::Failed, "this command asks no daemon"));
        }
    };
    let exit = exit_of(command, &answer);
    let text = if args.json { Some(print::pretty(&answer)) } else { sentence_of(command, answer) };
    let text = text.ok_or_else(|| {
        ClientError::new(Exit::Failed, "the daemon's answer is not understood; is it another version?")
    })?;
    line_to_stdout(&text);
    Ok(exit)
}

fn exit_of(command: &Command, answer: &Value) -> Exit {
    match command {
        Command::Run { .. } | Command::DryRun { .. } => {
            match serde_json::from_value(answer.get("outcome").cloned().unwrap_or_default()) {
                Ok(RunOutcome::Ok) => Exit::Ok,
                Ok(RunOutcome::Permanent) => Exit::Permanent,
                Ok(RunOutcome::Config) => Exit::Config,
                Ok(RunOutcome::Transient) => Exit::Transient,
                Err(_) => Exit::Failed,
            }
        }
        Command::Reload { .. }
            if ["refused", "rejected", "plugin_faults"].iter().any(|key| answer.get(key).is_some()) =>
        {
            Exit::Config
        }
        _ => Exit::Ok,
    }
}

/// An answer for people; `None` where it is not what was asked for.
fn sentence_of(command: &Command, answer: Value) -> Option<String> {
    Some(match command {
        Command::List(_) => print::list(&serde_json::from_value::<ListAnswer>(answer).ok()?),
        Command::Show { .. } => print::show(&serde_json::from_value::<JobStatus>(answer).ok()?),
        Command::Run { .. } => print::report(&serde_json::from_value::<TickReport>(answer).ok()?),
        Command::Reload { plan } => print::reload(&serde_json::from_value::<ReloadAnswer>(answer).ok()?, *plan),
        Command::Plugins => print::plugins(&answer),
        Command::DryRun { .. } => print::dry_run(&serde_json::from_value::<DryRun>(answer).ok()?),
        Command::Cursor { .. } => print::cursor(&serde_json::from_value::<CursorAnswer>(answer).ok()?),
        Command::Logs { .. } => print::lines(&answer["lines"]),
        Command::Next { job, .. } => print::next(job, &serde_json::from_value::<Firings>(answer).ok()?),
        Command::Pause { job, .. } => format!("`{job}` is paused; go on with `nexo-poller resume {job}`"),
        Command::Resume { job } => format!("`{job}` is resumed"),
        Command::Reset { job, .. } => format!("`{job}` starts over: its cursor, errors and pause are forgotten"),
        Command::Events { .. }
        | Command::Ready
        | Command::Top { .. }
        | Command::Backup { .. }
        | Command::Check
        | Command::Schema
        | Command::Doctor { .. }
        | Command::NatsPermissions { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => {
            return None;
        }
    })
}

/// What a `cursor` command changes; `None` where it only looks.
fn cursor_order(command: &Command) -> Option<CursorOrder> {
    let Command::Cursor { set, set_base64, clear, restore, .. } = command else { return None };
    let order = CursorOrder { text: set.clone(), base64: set_base64.clone(), clear: *clear, restore: *restore };
    (set.is_some() || set_base64.is_some() || *clear || *restore).then_some(order)
}

/// Asks the person at the terminal; nobody is there in a pipe.
fn confirm(job: &str) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    line_to_stderr(&format!("`reset` forgets the cursor of `{job}`: items may be announced again. Go on? [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// `/admin/pollers` with what is wanted of it.
fn list_path(wanted: &Wanted) -> String {
    let limit = wanted.limit.map(|limit| limit.to_string());
    let pairs = [
        ("phase", &wanted.phase),
        ("kind", &wanted.kind),
        ("agent", &wanted.agent),
        ("q", &wanted.text),
        ("after", &wanted.after),
        ("limit", &limit),
    ];
    let given: Vec<String> = pairs
        .into_iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", percent_encoded(value))))
        .collect();
    if given.is_empty() { "/admin/pollers".to_owned() } else { format!("/admin/pollers?{}", given.join("&")) }
}
