use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use subtle::ConstantTimeEq;
use uuid::Uuid;

pub(crate) use crate::config::TOKEN_FILE;
use crate::config::private_file;

/// A shorter one may be guessed.
const SHORTEST: usize = 32;

/// Why there is no token for the users of this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// It cannot be read, or others can read it.
    #[error("the admin token {} cannot be used: {source}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
    #[error("the admin token {} cannot be written: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// The secret of the admin API.
#[derive(Clone)]
pub(super) struct AdminToken(String);

impl AdminToken {
    /// The token in `dir`, made now if there is none.
    ///
    /// # Errors
    /// [`TokenError`]: the file cannot be read or written, or others can read it.
    pub(super) fn load_or_make(dir: &Path) -> Result<Self, TokenError> {
        let path = dir.join(TOKEN_FILE);
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let made = match Self::load(&path) {
            Ok(Some(token)) => return Ok(token),
            Ok(None) => private_file::replace(&path, &format!("{token}\n")),
            Err(error) if error.kind() == ErrorKind::NotFound => private_file::create(&path, &format!("{token}\n")),
            Err(source) => return Err(TokenError::Unusable { path, source }),
        };
        match made {
            Ok(()) => Ok(Self(token)),
            // Another daemon has made one since: it is for both.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Self::load(&path).ok().flatten().ok_or(error),
            Err(error) => Err(error),
        }
        .map_err(|source| TokenError::Unwritable { path, source })
    }

    /// The token in the file at `path`; `None` where that is too short to be one.
    fn load(path: &Path) -> io::Result<Option<Self>> {
        let text = private_file::read(path)?;
        Ok((text.trim().len() >= SHORTEST).then(|| Self(text.trim().to_owned())))
    }

    /// What nobody else may see.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// A token that somebody has chosen; `None` where it is too short to be safe.
    pub(super) fn given(token: &str) -> Option<Self> {
        (token.len() >= SHORTEST).then(|| Self(token.to_owned()))
    }

    /// Whether an `Authorization` header shows this token. Takes the same time wherever they differ.
    pub(super) fn is_shown_by(&self, header: Option<&str>) -> bool {
        let shown = header.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        shown.trim().as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

/// What was made of a token, and is shown in place of it.
impl From<String> for AdminToken {
    fn from(pass: String) -> Self {
        Self(pass)
    }
}

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AdminToken")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_token_is_made_once_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let first = AdminToken::load_or_make(dir.path()).unwrap();
        let second = AdminToken::load_or_make(dir.path()).unwrap();
        assert_eq!(first.0, second.0);
        assert_eq!(std::fs::metadata(dir.path().join(TOKEN_FILE)).unwrap().mode() & 0o777, 0o600);
        assert!(first.is_shown_by(Some(&format!("Bearer {}", second.0))));
        for wrong in [None, Some(""), Some("Bearer "), Some("Bearer x"), Some(second.0.as_str())] {
            assert!(!first.is_shown_by(wrong));
        }
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        AdminToken::load_or_make(dir.path()).unwrap();
        let path = dir.path().join(TOKEN_FILE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = AdminToken::load_or_make(dir.path()).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
