use std::path::Path;

use super::print;
use crate::config::{PollersFile, Settings};
use crate::core::exit::Exit;
use crate::core::terminal::{line_to_stderr, line_to_stdout};
use crate::plugins::schema;
use crate::plugins::set::PluginSet;

/// Prints the schema of the file at `config`. Where there is no file yet, the daemon's own kinds are known.
pub(super) async fn print(config: &Path) -> Exit {
    let settings = if config.exists() {
        match PollersFile::settings_of(config) {
            Ok(settings) => settings,
            Err(refused) => return crate::cli::fail(&refused.to_string()),
        }
    } else {
        Settings::defaults(config.parent().unwrap_or(Path::new("")))
    };
    match PluginSet::discover(&settings).await {
        Ok(plugins) => {
            plugins.faults.iter().for_each(|fault| line_to_stderr(&fault.to_string()));
            line_to_stdout(&print::pretty(&schema::schema(&plugins).await));
            Exit::Ok
        }
        Err(conflict) => crate::cli::fail(&conflict.to_string()),
    }
}
