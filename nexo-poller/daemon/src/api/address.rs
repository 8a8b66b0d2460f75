use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nexo_poller::unstable::read_regular_file;
use tokio::net::TcpListener;

use super::greeting::Greeting;
use super::token::AdminToken;
use crate::config::{off_runtime, private_file};

/// Beside the state file: where the server listens, for the command line.
pub(crate) const ADDRESS_FILE: &str = "admin.addr";

/// More than any address has.
const LONGEST_ADDRESS: u64 = 1024;

/// A file that could not be written is tried again after this.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(10);

/// On one machine an answer takes no time.
const NEIGHBOUR_ANSWERS: Duration = Duration::from_secs(1);

/// Why nobody can listen on an address, and what to change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    #[error(
        "the admin address {bind} is in use, probably by another daemon: stop that one, or set \
         `admin: {{ bind: \"127.0.0.1:0\" }}` in pollers.yaml to pick a free port"
    )]
    InUse { bind: String, source: std::io::Error },
    #[error("the admin address {bind} cannot be used ({source}): set another `admin: {{ bind: … }}`")]
    Unusable { bind: String, source: std::io::Error },
    #[error("the admin address is not known: {0}")]
    Unknown(#[source] std::io::Error),
}

/// Listens on `bind`.
pub(super) async fn bind(bind: &str) -> Result<(TcpListener, SocketAddr), AddressError> {
    let listener = TcpListener::bind(bind).await.map_err(|source| {
        let bind = bind.to_owned();
        match source.kind() {
            ErrorKind::AddrInUse => AddressError::InUse { bind, source },
            _ => AddressError::Unusable { bind, source },
        }
    })?;
    let address = listener.local_addr().map_err(AddressError::Unknown)?;
    Ok((listener, address))
}

/// Writes `address` into `file`. Only the command line needs it, and everything else goes on without: where that fails (a full disk,
/// say) it is tried again until it works.
pub(crate) async fn announce(file: PathBuf, address: SocketAddr) {
    let Err(error) = write(&file, address).await else { return };
    tracing::error!(
        "{} cannot be written ({error}), so commands do not find this daemon at {address}; tried again every {} s",
        file.display(),
        ANNOUNCE_AGAIN.as_secs()
    );
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(ANNOUNCE_AGAIN).await;
            if write(&file, address).await.is_ok() {
                return tracing::info!("{} is written; commands find this daemon", file.display());
            }
        }
    });
}

async fn write(file: &Path, address: SocketAddr) -> Result<(), String> {
    let file = file.to_owned();
    let written = off_runtime("admin.addr", move || private_file::replace(&file, &format!("{address}\n"))).await;
    written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// The address in `file`, where a daemon answers there that is not the one at `own` and knows the state's token: two may
/// share one state. Whoever else listens there has taken the port of a daemon that was killed.
pub(super) async fn other_daemon(file: &Path, own: SocketAddr, token: &AdminToken) -> Option<SocketAddr> {
    let file = file.to_owned();
    let text = off_runtime("admin.addr", move || read_regular_file(&file, LONGEST_ADDRESS)).await.ok()?.ok()?;
    let address: SocketAddr = text.trim().parse().ok()?;
    if address == own {
        return None;
    }
    nexo_poller::unstable::choose_cryptography();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().ok()?;
    let greeting = Greeting::new(token.secret(), address);
    tokio::time::timeout(NEIGHBOUR_ANSWERS, greeting.ask(&http)).await.is_ok_and(|pass| pass.is_ok()).then_some(address)
}
