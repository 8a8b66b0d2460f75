use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::ClientBuilder;

use super::client_error::ClientError;
use crate::api::{ADDRESS_FILE, TOKEN_FILE};
use crate::config::PollersFile;
use crate::core::exit::Exit;

/// A daemon that is there takes a connection within this time.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// Where the daemon that runs the file at `config` listens for users of this machine, and the file with its token.
pub(super) fn on_this_machine(config: &Path) -> Result<(SocketAddr, PathBuf), ClientError> {
    let settings =
        PollersFile::settings_of(config).map_err(|error| ClientError::new(Exit::Config, error.to_string()))?;
    let dir = settings.state_db.parent().unwrap_or(Path::new("")).to_owned();
    // A port that the file names is this file's daemon, if anybody listens there; several daemons may share one state,
    // and so one address file.
    let admin = &settings.admin;
    let named = admin.bind.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    let named = named.filter(|_| !admin.binds_by_default() && !admin.is_for_outside());
    let address = match named.filter(|address| TcpStream::connect_timeout(address, CONNECT).is_ok()) {
        Some(address) => address,
        None => {
            let written = std::fs::read_to_string(dir.join(ADDRESS_FILE)).ok();
            // What is no address was not written by a daemon.
            written.and_then(|address| address.trim().parse().ok()).ok_or_else(|| no_daemon(config))?
        }
    };
    Ok((address, dir.join(TOKEN_FILE)))
}

pub(super) fn no_daemon(config: &Path) -> ClientError {
    let config = config.display();
    let sentence = format!("no daemon is running for {config}; start one with `nexo-poller run -c {config}`");
    ClientError::new(Exit::NoDaemon, sentence)
}

/// # Errors
/// Where `url` is no address of a web server.
pub(super) fn check_address(url: &str) -> Result<(), ClientError> {
    let why = if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        "it must begin with https:// or http://".to_owned()
    } else if let Err(error) = reqwest::Url::parse(url) {
        error.to_string()
    } else {
        return Ok(());
    };
    Err(ClientError::new(Exit::Usage, format!("`{url}` is not a URL for --admin-url (NEXO_POLLER_ADMIN_URL): {why}")))
}

/// A client that trusts the authority in the PEM file `ca` as well.
pub(super) fn trusting(http: ClientBuilder, ca: Option<&Path>) -> Result<ClientBuilder, ClientError> {
    let Some(path) = ca else { return Ok(http) };
    let unusable = |error: &dyn std::fmt::Display| {
        ClientError::new(Exit::Failed, format!("the authority {} cannot be used: {error}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
    Ok(certificates.into_iter().fold(http, ClientBuilder::add_root_certificate))
}
