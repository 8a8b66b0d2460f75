use std::path::Path;
use std::time::Duration;

use nexo_poller::runner::JobSpec;

use crate::config::credentials::{self, CredentialsFile};
use crate::config::specs::{RefusedJob, specs_of};
use crate::config::{NotRead, PollersFile, RefusedFile, off_runtime, within};
use crate::plugins::set::{PluginConflict, PluginSet};

/// The least time for what a file includes, and for what all of it means.
const UNDERSTANDING: Duration = Duration::from_secs(60);

const MEBIBYTE: u64 = 1024 * 1024;

/// Everything that a boot or a reload reads, checked before anything is changed.
pub(crate) struct LoadedConfig {
    pub(crate) file: PollersFile,
    pub(crate) secrets: CredentialsFile,
    pub(crate) plugins: PluginSet,
    pub(crate) specs: Vec<JobSpec>,
    pub(crate) refused: Vec<RefusedJob>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// A file is wrong.
    #[error("{0}")]
    File(RefusedFile),
    /// A file is on a file system that does not answer.
    #[error(transparent)]
    NotRead(#[from] NotRead),
    /// The plugins do not go together.
    #[error(transparent)]
    Plugins(#[from] PluginConflict),
}

impl LoadedConfig {
    /// Reads the file at `config` and what it names.
    ///
    /// # Errors
    /// [`LoadError`]: nothing of it may be used.
    pub(crate) async fn read(config: &Path) -> Result<Self, LoadError> {
        let path = config.to_owned();
        let text = off_runtime("the configuration", move || PollersFile::text_of(&path)).await?;
        let (path, text) = (config.to_owned(), text.map_err(LoadError::File)?);
        // A million jobs take their time, which is no file system's fault.
        let limit = UNDERSTANDING + Duration::from_secs(text.len() as u64 / MEBIBYTE);
        let read = move || {
            let file = PollersFile::parse(&text, &path)?;
            let secrets = file.settings.credentials.as_deref().map(credentials::load).transpose()?;
            Ok((file, secrets.unwrap_or_default()))
        };
        let (file, secrets) = within(limit, "the configuration", read).await?.map_err(LoadError::File)?;
        let plugins = PluginSet::discover(&file.settings).await?;
        let (mut specs, problems) = specs_of(&file, &plugins.kinds());
        if !file.settings.enabled {
            specs.clear();
        }
        let refused = problems.iter().map(RefusedJob::from).collect();
        Ok(Self { file, secrets, plugins, specs, refused })
    }
}
