use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use nexo_poller::unstable::read_regular_file;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::{TlsFiles, private_file};

/// The most bytes of a certificate with what it was signed by.
const MOST: u64 = 1024 * 1024;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why TLS has nothing to show.
#[derive(Debug, thiserror::Error)]
#[error("`admin.tls.{key}` {} cannot be used: {source}", path.display())]
pub(crate) struct CertificateError {
    key: &'static str,
    path: PathBuf,
    source: Cause,
}

impl CertificateError {
    fn new(key: &'static str, path: &Path, source: impl Into<Cause>) -> Self {
        Self { key, path: path.to_owned(), source: source.into() }
    }
}

/// The server's certificate and key. Read again at every reload: certificates are renewed more often than daemons restart.
pub(crate) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// [`CertificateError`], which names the file.
    pub(crate) fn load(files: TlsFiles) -> Result<Self, CertificateError> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, current })
    }

    /// Takes the files as they are now.
    ///
    /// # Errors
    /// [`CertificateError`]; the old certificate stays.
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        let new = Arc::new(read(&self.files)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// How TLS is spoken with it.
    pub(crate) fn acceptor(self: Arc<Self>) -> tokio_rustls::TlsAcceptor {
        nexo_poller::unstable::choose_cryptography();
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

fn read(files: &TlsFiles) -> Result<CertifiedKey, CertificateError> {
    let unusable_cert = |error: Cause| CertificateError::new("cert", &files.cert, error);
    let chain = read_regular_file(&files.cert, MOST).map_err(|error| unusable_cert(error.into()))?;
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable_cert(error.into()))?;
    let unusable_key = |error: Cause| CertificateError::new("key", &files.key, error);
    let key = private_file::read(&files.key).map_err(|error| unusable_key(error.into()))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable_key(error.into()))?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, key, &provider).map_err(|error| CertificateError::new("cert", &files.cert, error))
}
