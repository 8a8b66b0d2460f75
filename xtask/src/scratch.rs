use std::path::{Path, PathBuf};

/// A folder that goes when this goes.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Under `target/`.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        Self::at(crate::run::binaries()?.with_file_name("xtask").join(format!("{name}-{}", std::process::id())))
    }

    /// Far from this repository, whose settings no stranger has.
    pub(crate) fn elsewhere(name: &str) -> Result<Self, String> {
        Self::at(std::env::temp_dir().join(format!("nexo-poller-{name}-{}", std::process::id())))
    }

    fn at(path: PathBuf) -> Result<Self, String> {
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(format!("{} cannot be made: {error}", path.display())),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
