//! The one decision about TLS that every HTTP client of the process shares.

/// Settles what TLS computes with, without which reqwest makes no client at all, not even one for plain HTTP. Where another part
/// of the process has chosen already, its choice stays.
pub fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Why no HTTP client can be made, with what mostly helps: small images and fresh machines know no authorities.
pub fn why_no_client(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!(
        "{cause}; TLS needs the certificates of the public authorities: install the package ca-certificates, or name a file of \
         them in SSL_CERT_FILE"
    )
}
