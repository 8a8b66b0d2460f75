use std::path::Path;

use nexo_poller::store::SqliteStore;
use serde_json::json;

use super::args::Args;
use crate::cli::{fail, print};
use crate::config::PollersFile;
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;

/// Copies the job state of the file that `args` name to `to`, while a daemon has it open or not.
pub(super) fn back_up(args: &Args, to: &Path, force: bool) -> Exit {
    let settings = match PollersFile::settings_of(&args.config) {
        Ok(settings) => settings,
        Err(error) => {
            fail(&error.to_string());
            return Exit::Config;
        }
    };
    if args.place.admin_url.is_some() {
        return fail("`backup` copies a file of this machine: run it on the daemon's, without --admin-url");
    }
    if let Some(state) = settings.broker.as_ref().and_then(|broker| broker.state.as_ref()) {
        let bucket = &state.bucket;
        return fail(&format!(
            "the job state is in the bucket `{bucket}` of the NATS server, and no file of this machine; with the NATS command \
             line: `nats stream backup KV_{bucket} FOLDER`, and back, with the daemons stopped: `nats stream restore FOLDER`"
        ));
    }
    let state = &settings.state_db;
    if !state.exists() {
        return fail(&format!("there is no job state at {} yet: a daemon makes it when it starts", state.display()));
    }
    if !force && to.symlink_metadata().is_ok() {
        return fail(&format!("{} is there already: choose another name, or replace it with --force", to.display()));
    }
    match SqliteStore::back_up(state, to, force) {
        Ok(made) if args.json => {
            line_to_stdout(&print::pretty(&json!({ "file": to, "jobs": made.jobs, "bytes": made.bytes })));
            Exit::Ok
        }
        Ok(made) => {
            let jobs = print::counted(usize::try_from(made.jobs).unwrap_or(usize::MAX), "job");
            let kibibytes = made.bytes.div_ceil(1024);
            line_to_stdout(&format!("{}: the state of {jobs}, {kibibytes} KiB", to.display()));
            Exit::Ok
        }
        Err(error) => fail(&error.to_string()),
    }
}
