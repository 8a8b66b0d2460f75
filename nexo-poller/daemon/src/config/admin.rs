use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::keys::{admin as key, settings};
use crate::config::yaml::{Sink, Table};

/// `admin`: where the daemon can be asked, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminSettings {
    /// `bind`: an address and a port.
    pub(crate) bind: String,
    /// `token_file`: what every caller from outside this machine must show. The environment may give it instead.
    pub(crate) token_file: Option<PathBuf>,
    /// `tls`.
    pub(crate) tls: Option<TlsFiles>,
    /// `names`: host names that outside callers may use, besides addresses.
    pub(crate) names: Vec<String>,
}

/// `admin.tls`: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// `cert`: the server's certificate, and what it was signed by.
    pub(crate) cert: PathBuf,
    /// `key`: its private key; its owner's only.
    pub(crate) key: PathBuf,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { bind: key::BIND.default().to_owned(), token_file: None, tls: None, names: Vec::new() }
    }
}

impl AdminSettings {
    /// Whether the server listens where it does unless the file says otherwise.
    pub(crate) fn binds_by_default(&self) -> bool {
        self.bind == key::BIND.default()
    }

    /// Whether others than the users of this machine are let in: through another address than loopback, or a proxy in front.
    #[must_use]
    pub(crate) fn is_for_outside(&self) -> bool {
        !is_loopback(&self.bind) || self.token_file.is_some() || self.tls.is_some() || !self.names.is_empty()
    }

    pub(super) fn read(table: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Option<Self> {
        let mut admin = settings::ADMIN.open(table, sink)?;
        let bind = key::BIND.read(&mut admin, sink);
        let token_file = key::TOKEN_FILE.read_path(&mut admin, sink).map(|path| dir.join(path));
        let tls = read_tls(&mut admin, dir, sink);
        let plain_http = key::PLAIN_HTTP.read(&mut admin, sink);
        let names = key::NAMES.read(&mut admin, sink);
        admin.finish(sink);
        let default = Self::default();
        let Some((bind, place)) = bind else { return Some(Self { token_file, tls, names, ..default }) };
        if bind.parse::<SocketAddr>().is_err() && !bind.starts_with("localhost:") {
            sink.add(place, "`bind` must be an address and a port, such as 127.0.0.1:9091 (port 0 picks a free one)");
            return None;
        }
        if !is_loopback(&bind) && tls.is_none() && !plain_http {
            sink.add(
                place,
                "other machines reach this address: add `tls: { cert: …, key: … }`, or `plain_http: true` where the network \
                 or a proxy keeps the token secret",
            );
        }
        Some(Self { bind, token_file, tls, names })
    }
}

fn read_tls(admin: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Option<TlsFiles> {
    let mut tls = key::TLS.open(admin, sink)?;
    let cert = key::CERT.read(&mut tls, sink);
    let key = key::KEY.read(&mut tls, sink);
    tls.finish(sink);
    Some(TlsFiles { cert: dir.join(cert?.0), key: dir.join(key?.0) })
}

fn is_loopback(bind: &str) -> bool {
    bind.parse::<SocketAddr>().map_or_else(|_| bind.starts_with("localhost:"), |address| address.ip().is_loopback())
}
