use std::path::PathBuf;
use std::sync::Arc;

use super::token::AdminToken;
use crate::config::{AdminSettings, private_file};
use crate::core::certificate::{Certificate, CertificateError};

/// The token in the environment of a daemon that others may ask, and of a command that asks one.
pub(crate) const TOKEN_VARIABLE: &str = "NEXO_POLLER_ADMIN_TOKEN";

/// What callers from other machines need: a token that somebody has given, and a certificate where they use TLS.
pub(crate) struct RemoteAccess {
    pub(super) token: AdminToken,
    pub(super) tls: Option<Arc<Certificate>>,
}

/// Why no other machine can be let in: a sentence that says what to write where.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unprepared {
    /// No file is named and the environment has no token; that of another process may have one.
    #[error(
        "`admin` lets other machines in at {bind}: give them a token of 32 characters or more, in a file that `token_file` names or \
         in the daemon's environment as {TOKEN_VARIABLE} (`openssl rand -hex 32` makes one)"
    )]
    NoToken { bind: String },
    /// The file with the token cannot be read.
    #[error("`admin.token_file` {} cannot be used: {source}", path.display())]
    TokenFile { path: PathBuf, source: std::io::Error },
    /// What was given is too short to be a secret.
    #[error("the given admin token needs 32 characters or more")]
    ShortToken,
    /// TLS has nothing to show.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl RemoteAccess {
    /// Takes what `settings` name; `None` where no other machine is let in.
    pub(crate) fn of(settings: &AdminSettings) -> Result<Option<Self>, Unprepared> {
        if !settings.is_for_outside() {
            return Ok(None);
        }
        let given = std::env::var(TOKEN_VARIABLE).ok();
        let token = match (&settings.token_file, given) {
            (Some(path), _) => {
                private_file::read(path).map_err(|source| Unprepared::TokenFile { path: path.clone(), source })?
            }
            (None, Some(token)) => token,
            (None, None) => return Err(Unprepared::NoToken { bind: settings.bind.clone() }),
        };
        let token = AdminToken::given(token.trim()).ok_or(Unprepared::ShortToken)?;
        let tls = settings.tls.clone().map(Certificate::load).transpose()?.map(Arc::new);
        Ok(Some(Self { token, tls }))
    }
}
