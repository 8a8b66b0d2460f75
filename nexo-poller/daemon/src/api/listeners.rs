use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::address::{AddressError, bind, other_daemon};
use super::guard::Guard;
use super::remote_access::{RemoteAccess, Unprepared};
use super::routes::router;
use super::server::serve;
use super::token::{AdminToken, TokenError};
use crate::config::{AdminSettings, NotRead, off_runtime};
use crate::core::certificate::Certificate;
use crate::core::daemon::Daemon;

/// Where this machine's users connect, while the address in the file is for other machines.
const ANY_LOOPBACK_PORT: &str = "127.0.0.1:0";

/// Where callers connect: a listener for the users of this machine, whose commands find it and its token by themselves, and
/// where the file says so one for other machines, whose callers must bring a token that was given.
pub(crate) struct Listeners {
    local: (TcpListener, SocketAddr),
    token: AdminToken,
    remote: Option<(TcpListener, SocketAddr, RemoteAccess)>,
    names: Arc<[String]>,
}

/// Why nobody can come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenersError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    NotRead(#[from] NotRead),
    #[error(transparent)]
    RemoteAccess(#[from] Unprepared),
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Listeners {
    /// Takes the addresses; nobody is answered yet. `dir` holds the token of this machine's users.
    ///
    /// # Errors
    /// [`ListenersError`], which says what to change.
    pub(crate) async fn open(settings: &AdminSettings, dir: &Path) -> Result<Self, ListenersError> {
        let (dir, outside) = (dir.to_owned(), settings.clone());
        let token = off_runtime("the admin token", move || AdminToken::load_or_make(&dir)).await??;
        let access = off_runtime("the token and certificate for other machines", move || RemoteAccess::of(&outside));
        let names = settings.names.as_slice().into();
        Ok(match access.await?? {
            None => Self { local: bind(&settings.bind).await?, token, remote: None, names },
            Some(access) => {
                let (listener, address) = bind(&settings.bind).await?;
                let remote = Some((listener, address, access));
                Self { local: bind(ANY_LOOPBACK_PORT).await?, token, remote, names }
            }
        })
    }

    /// Where the users of this machine connect.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local.1
    }

    /// Another daemon that shares the state, and so the token, where the address in `file` is of one that is there.
    pub(crate) async fn other_daemon(&self, file: &Path) -> Option<SocketAddr> {
        other_daemon(file, self.local(), &self.token).await
    }

    /// Where other machines do, as a URL.
    pub(crate) fn remote(&self) -> Option<String> {
        self.remote.as_ref().map(|(_, address, access)| {
            let scheme = if access.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{address}")
        })
    }

    /// What other machines are shown, to be renewed.
    pub(crate) fn certificate(&self) -> Option<Arc<Certificate>> {
        self.remote.as_ref().and_then(|(.., access)| access.tls.clone())
    }

    /// Answers, until what is returned is dropped.
    pub(crate) fn serve(self, daemon: &Arc<Daemon>) -> JoinSet<()> {
        let mut servers = JoinSet::new();
        let (listener, address) = self.local;
        let guard = Guard::local(address, self.token);
        servers.spawn(serve(listener, router(Arc::clone(daemon), guard), None));
        if let Some((listener, _, access)) = self.remote {
            let guard = Guard::remote(access.token, self.names);
            let tls = access.tls.map(Certificate::acceptor);
            servers.spawn(serve(listener, router(Arc::clone(daemon), guard), tls));
        }
        servers
    }
}
