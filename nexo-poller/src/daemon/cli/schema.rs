use std::path::Path;

use super::print;
use crate::daemon::exit::Exit;
use crate::daemon::file::{PollersFile, Settings};
use crate::daemon::plugin_set::PluginSet;
use crate::daemon::schema;

/// Prints the schema of the file at `config`. Where there is no file yet, the daemon's own kinds are known.
pub(super) async fn print(config: &Path) -> Exit {
    let settings = if config.exists() {
        match PollersFile::settings_of(config) {
            Ok(settings) => settings,
            Err(refused) => return super::fail(&refused.to_string()),
        }
    } else {
        Settings::defaults(config.parent().unwrap_or(Path::new("")))
    };
    match PluginSet::discover(&settings).await {
        Ok(plugins) => {
            plugins.faults.iter().for_each(|fault| print::line_to_stderr(&fault.to_string()));
            print::line_to_stdout(&print::pretty(&schema::schema(&plugins).await));
            Exit::Ok
        }
        Err(sentence) => super::fail(&sentence),
    }
}
