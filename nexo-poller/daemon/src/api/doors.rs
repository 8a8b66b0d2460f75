use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::address::{bind, living_neighbour};
use super::guard::Guard;
use super::outside::Outside;
use super::routes::router;
use super::server::serve;
use super::token::AdminToken;
use crate::config::AdminSettings;
use crate::core::certificate::Certificate;
use crate::core::daemon::Daemon;

/// Where the door for this machine is, while another one is where the file says.
const ANY_LOOPBACK_PORT: &str = "127.0.0.1:0";

/// Where callers come in: a door for the users of this machine, whose commands find it and its token by themselves, and
/// where the file says so one for everybody else, who must bring a token that was given.
pub(crate) struct Doors {
    local: (TcpListener, SocketAddr),
    token: AdminToken,
    outer: Option<(TcpListener, SocketAddr, Outside)>,
    names: Arc<[String]>,
}

impl Doors {
    /// Takes the addresses; nobody is answered yet. `dir` holds the token of this machine's users.
    ///
    /// # Errors
    /// A sentence that says what to change.
    pub(crate) async fn open(settings: &AdminSettings, dir: &Path) -> Result<Self, String> {
        let token = AdminToken::load_or_make(dir)?;
        let names = settings.names.as_slice().into();
        Ok(match Outside::of(settings).map_err(|error| error.to_string())? {
            None => Self { local: bind(&settings.bind).await?, token, outer: None, names },
            Some(outside) => {
                let (listener, address) = bind(&settings.bind).await?;
                let outer = Some((listener, address, outside));
                Self { local: bind(ANY_LOOPBACK_PORT).await?, token, outer, names }
            }
        })
    }

    /// Where the users of this machine come in.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local.1
    }

    /// Another daemon that shares the state, and so the token, where the address in `file` is of one that is there.
    pub(crate) async fn neighbour(&self, file: &Path) -> Option<SocketAddr> {
        living_neighbour(file, self.local(), &self.token).await
    }

    /// Where everybody else does, as a URL.
    pub(crate) fn outer(&self) -> Option<String> {
        self.outer.as_ref().map(|(_, address, outside)| {
            let scheme = if outside.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{address}")
        })
    }

    /// What the outer door shows, to be renewed.
    pub(crate) fn certificate(&self) -> Option<Arc<Certificate>> {
        self.outer.as_ref().and_then(|(.., outside)| outside.tls.clone())
    }

    /// Answers, until what is returned is dropped.
    pub(crate) fn serve(self, daemon: &Arc<Daemon>) -> JoinSet<()> {
        let mut doors = JoinSet::new();
        let (listener, address) = self.local;
        let guard = Guard::local(address, self.token);
        doors.spawn(serve(listener, router(Arc::clone(daemon), guard), None));
        if let Some((listener, _, outside)) = self.outer {
            let guard = Guard::outer(outside.token, self.names);
            let tls = outside.tls.map(Certificate::acceptor);
            doors.spawn(serve(listener, router(Arc::clone(daemon), guard), tls));
        }
        doors
    }
}
