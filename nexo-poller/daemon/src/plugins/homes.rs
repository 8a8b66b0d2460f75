use std::path::PathBuf;

use nexo_poller::router::PluginBinary;
use tempfile::TempDir;

use crate::config::{off_runtime, private_file};

/// Where each plugin has a folder of its own, in place of the home of whoever runs the daemon.
#[derive(Default)]
pub(crate) struct PluginHomes(Option<PathBuf>);

impl PluginHomes {
    /// Below `folder`, each under its id.
    pub(crate) fn below(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// `binary` with a home that stays; it is made where there is none yet.
    pub(crate) async fn settle(&self, binary: &PluginBinary) -> PluginBinary {
        let Some(folder) = &self.0 else { return binary.clone() };
        let id = &binary.manifest.plugin.id;
        let home = folder.join(id).join("home");
        let to_make = home.clone();
        let why = match off_runtime("a plugin's home", move || private_file::create_dir(&to_make)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            let home = home.display();
            tracing::error!(plugin = id, "its home {home} cannot be made: {why}; it is started without one");
        }
        binary.clone().with_environment(binary.environment.clone().with_home(home))
    }
}

/// The home of plugins that are only asked something. Where there is no room for it, they see one that does not exist.
pub(super) async fn for_a_visit() -> Option<TempDir> {
    use std::os::unix::fs::PermissionsExt as _;
    let private = std::fs::Permissions::from_mode(0o700);
    let make = move || tempfile::Builder::new().prefix("nexo-plugin-home-").permissions(private).tempdir();
    off_runtime("a temporary folder", make).await.ok()?.ok()
}
