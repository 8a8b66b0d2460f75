use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::token::AdminToken;
use crate::daemon::file::{AdminSettings, TlsFiles};
use crate::daemon::private_file;

/// The token in the environment of a daemon that others may ask, and of a command that asks one.
pub(in crate::daemon) const TOKEN_VARIABLE: &str = "NEXO_POLLER_ADMIN_TOKEN";

/// What a door to the outside needs: a token that somebody has given, and a certificate where it speaks TLS.
pub(in crate::daemon) struct Outside {
    pub(super) token: AdminToken,
    pub(super) tls: Option<Arc<Certificate>>,
}

/// Why nobody from outside can be let in: a sentence that says what to write where.
#[derive(Debug, thiserror::Error)]
pub(in crate::daemon) enum Unprepared {
    /// No file is named and the environment has no token; that of another process may have one.
    #[error(
        "`admin` lets other machines in at {bind}: give them a token of 32 characters or more, in a file that `token_file` names or \
         in the daemon's environment as {TOKEN_VARIABLE} (`openssl rand -hex 32` makes one)"
    )]
    NoToken { bind: String },
    #[error("{0}")]
    Unusable(String),
}

impl Outside {
    /// Takes what `settings` name; `None` where nobody from outside is let in.
    pub(in crate::daemon) fn of(settings: &AdminSettings) -> Result<Option<Self>, Unprepared> {
        if !settings.is_for_outside() {
            return Ok(None);
        }
        let given = std::env::var(TOKEN_VARIABLE).ok();
        let token = match (&settings.token_file, given) {
            (Some(path), _) => private_file::read(path).map_err(|error| {
                Unprepared::Unusable(format!("`admin.token_file` {} cannot be used: {error}", path.display()))
            })?,
            (None, Some(token)) => token,
            (None, None) => return Err(Unprepared::NoToken { bind: settings.bind.clone() }),
        };
        let short = || Unprepared::Unusable("the given admin token needs 32 characters or more".to_owned());
        let token = AdminToken::given(token.trim()).ok_or_else(short)?;
        let tls = settings.tls.clone().map(Certificate::load).transpose().map_err(Unprepared::Unusable)?.map(Arc::new);
        Ok(Some(Self { token, tls }))
    }
}

/// The server's certificate and key. Read anew at every reload: certificates are renewed more often than daemons restart.
pub(in crate::daemon) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    fn load(files: TlsFiles) -> Result<Self, String> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, current })
    }

    /// Takes the files as they are now.
    ///
    /// # Errors
    /// A sentence; the old certificate stays.
    pub(in crate::daemon) fn reload(&self) -> Result<(), String> {
        let new = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// How TLS is spoken with it.
    pub(super) fn acceptor(self: Arc<Self>) -> tokio_rustls::TlsAcceptor {
        crate::tls::choose_cryptography();
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(self);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config).into()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Shows no key.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, String> {
    let unusable = |key: &str, path: &std::path::Path, error: &dyn std::fmt::Display| {
        format!("`admin.tls.{key}` {} cannot be used: {error}", path.display())
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("cert", &files.cert, &error))?;
    let key = private_file::read(&files.key).map_err(|error| unusable("key", &files.key, &error))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable("key", &files.key, &error))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| unusable("cert", &files.cert, &error))
}
