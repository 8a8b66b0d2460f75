use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// Beside the state file: where the server listens, for the command line.
pub(in crate::daemon) const ADDRESS_FILE: &str = "admin.addr";

/// Listens on `bind`.
///
/// # Errors
/// A sentence that says what to change.
pub(in crate::daemon) async fn bind(bind: &str) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(bind).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => format!(
            "the admin address {bind} is in use, probably by another daemon: stop that one, or set \
             `admin: {{ bind: \"127.0.0.1:0\" }}` in pollers.yaml to pick a free port"
        ),
        _ => format!("the admin address {bind} cannot be used ({error}): set another `admin: {{ bind: … }}`"),
    })?;
    let address = listener.local_addr().map_err(|error| format!("the admin address is not known: {error}"))?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "the admin API can be reached from other machines; reading it needs no token");
    }
    Ok((listener, address))
}
