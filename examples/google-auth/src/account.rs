use std::path::{Path, PathBuf};

use nexo_poller::prelude::*;
use serde::Deserialize;
use url::Url;

/// An agent's account `google`, as the daemon's credentials give it. It names the files with the secrets, and holds none.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Which account: an address, mostly.
    pub account_id: String,
    /// A file with the client's id.
    pub client_id_path: PathBuf,
    /// A file with the client's secret.
    pub client_secret_path: PathBuf,
    /// A file with the refresh token; the access token is kept there too.
    pub token_path: PathBuf,
    /// Where tokens are had, if not at `https://oauth2.googleapis.com/token`.
    #[serde(default)]
    pub token_uri: Option<Url>,
}

/// A file of the account as text.
pub(crate) fn read(path: &Path, key: &str, agent: &str) -> Result<String, PollerError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        PollerError::config(format!(
            "`{key}` of agent `{agent}`'s account `google`: {} cannot be read: {error}",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}
