use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::config::private_file;
use crate::config::yaml::{Kept, NotGiven};

/// What a file of the operator's own may use: the daemon's environment, and every file that is its owner's only.
pub(super) struct Own;

impl Kept for Own {
    fn variable(&self, name: &str) -> Result<Option<String>, NotGiven> {
        std::env::var_os(name).map(OsString::into_string).transpose().map_err(|_| {
            let message = format!("the environment variable `{name}` is not UTF-8");
            NotGiven::Unreadable(io::Error::new(io::ErrorKind::InvalidData, message))
        })
    }

    fn file(&self, path: &Path) -> Result<String, NotGiven> {
        Ok(private_file::read(path)?)
    }
}
