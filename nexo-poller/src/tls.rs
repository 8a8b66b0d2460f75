//! The one decision about TLS that every HTTP client of the process shares.

/// Settles what TLS computes with, without which reqwest makes no client at all, not even one for plain HTTP. Where another part
/// of the process has chosen already, its choice stays.
pub(crate) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
