use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nexo_poller::manifest::{Manifest, ManifestError, PluginGrants, PluginRights, PluginSection, PrefixOverlap};
use nexo_poller::router::{DiscoverError, PluginBinary, PluginEnvironment, PollerRouteRegistrationError, discover_in};
use nexo_poller::unstable::read_regular_file;
use semver::{Version, VersionReq};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::{built_in, homes};
use crate::config::{NotRead, PollersFile, Problem, Settings, off_runtime, within};

/// A directory of many plugins, some of which hang when they are asked for their manifest.
const LOOKING: Duration = Duration::from_secs(180);

/// The plugins that `plugins:` names, judged and not yet started.
#[derive(Default)]
pub(crate) struct PluginSet {
    pub(crate) found: Vec<PluginBinary>,
    /// Those that others start and that serve over the broker.
    pub(crate) remote: Vec<Manifest>,
    /// Why other paths are no plugins; each is left out.
    pub(crate) faults: Vec<PluginFault>,
    /// What the operator allows them beyond what every plugin may, by their ids.
    pub(crate) allow: BTreeMap<String, PluginGrants>,
    /// The values of variables that `plugins` hands to them.
    granted: Vec<String>,
    /// The home of binaries that are only asked something: gone with this set.
    visit: Option<TempDir>,
}

/// Why a path is no plugin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginFault {
    /// There is none.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The manifest of one that others start cannot be read.
    #[error("manifest {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// It is on a file system that does not answer.
    #[error("plugin {}: {source}", path.display())]
    NotRead { path: PathBuf, source: NotRead },
    /// That manifest breaks a rule.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is for another version of the daemon.
    #[error("plugin `{id}` needs nexo-poller {needed}, and this is {}: update one of them", env!("CARGO_PKG_VERSION"))]
    Version { id: String, needed: String },
}

/// Why two plugins cannot be used together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PluginConflict {
    /// Both have one id.
    #[error("plugin `{id}` is there twice, as {first} and as {second}: remove one of them")]
    Id { id: String, first: String, second: String },
    /// Both offer one kind.
    #[error(transparent)]
    Kind(#[from] PollerRouteRegistrationError),
    /// The ticks of one arrive among the topics of the other.
    #[error(transparent)]
    Prefix(#[from] PrefixOverlap),
    /// One is allowed what the ticks of the other arrive on.
    #[error(
        "`allow` gives plugin `{plugin}` `{pattern}`, which matches `{ticks}`, where plugin `{other}` gets its ticks: write a \
         narrower pattern"
    )]
    Ticks { plugin: String, pattern: String, ticks: String, other: String },
}

impl PluginFault {
    /// The path itself, where the file is there or was.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::Discover(
                DiscoverError::Io { path, .. }
                | DiscoverError::NotExecutable { path }
                | DiscoverError::NoManifest { path, .. }
                | DiscoverError::NoEntrypoint { path, .. }
                | DiscoverError::NoProgram { program: path, .. },
            ) => Some(path),
            _ => None,
        }
    }
}

impl PluginSet {
    /// The variables that the plugins' manifests give their processes.
    pub(crate) fn environments(&self) -> impl Iterator<Item = (String, String)> {
        let environments = self.found.iter().flat_map(|plugin| &plugin.manifest.plugin.entrypoint.env);
        environments.map(|(name, value)| (name.clone(), value.clone()))
    }

    /// What the operator hands to plugins by `env`, as a config would hold it: all of it may be secret.
    pub(crate) fn granted(&self) -> Value {
        json!({ "secret": self.granted })
    }

    /// Looks at everything that `settings` name.
    ///
    /// # Errors
    /// [`PluginConflict`] where two plugins claim the same id or kind.
    pub(crate) async fn discover(settings: &Settings) -> Result<Self, PluginConflict> {
        let mut set = Self { allow: settings.allow.clone(), ..Self::default() };
        if !settings.plugins.is_empty() {
            set.visit = homes::for_a_visit().await;
        }
        for entry in &settings.plugins {
            // Absolute, so that a plugin is found whatever it is started from.
            let path = std::path::absolute(&entry.path).unwrap_or_else(|_| entry.path.clone());
            let mut environment = PluginEnvironment::new().with_variables(entry.env.clone());
            if let Some(visit) = &set.visit {
                environment = environment.with_home(visit.path());
            }
            set.granted.extend(entry.env.values().cloned());
            let (found, errors) = match look_at(path.clone(), environment).await {
                Ok(looked) => looked,
                Err(source) => {
                    set.faults.push(PluginFault::NotRead { path, source });
                    continue;
                }
            };
            set.faults.extend(errors.into_iter().map(PluginFault::from));
            for mut plugin in found {
                plugin.grants = set.grants(&plugin.manifest.plugin);
                match refusal(&plugin.manifest.plugin) {
                    None => set.found.push(plugin),
                    Some(fault) => set.faults.push(fault),
                }
            }
        }
        for path in settings.broker.iter().flat_map(|broker| &broker.plugins) {
            let (path, owned) = (path.clone(), path.clone());
            match off_runtime("manifests", move || manifests(&owned)).await {
                Ok(Ok(manifests)) => {
                    for manifest in manifests {
                        match refusal(&manifest.plugin) {
                            None => set.remote.push(manifest),
                            Some(fault) => set.faults.push(fault),
                        }
                    }
                }
                Ok(Err(fault)) => set.faults.push(fault),
                Err(source) => set.faults.push(PluginFault::NotRead { path, source }),
            }
        }
        set.refuse_clashes()?;
        Ok(set)
    }

    fn refuse_clashes(&self) -> Result<(), PluginConflict> {
        let (mut ids, mut kinds) = (BTreeMap::new(), BTreeMap::new());
        let built_in = built_in::OWNER.to_owned();
        kinds.extend(built_in::kinds().map(|kind| (kind.to_owned(), &built_in)));
        let over_broker = Path::new("a plugin of the broker");
        let here = self.found.iter().map(|plugin| (&plugin.manifest.plugin, plugin.program.as_path()));
        for (plugin, place) in here.chain(self.remote.iter().map(|manifest| (&manifest.plugin, over_broker))) {
            let id = &plugin.id;
            if let Some(first) = ids.insert(id, place) {
                let (first, second) = (first.display().to_string(), place.display().to_string());
                return Err(PluginConflict::Id { id: id.clone(), first, second });
            }
            for kind in plugin.poller.iter().flat_map(|poller| &poller.kinds) {
                if let Some(first) = kinds.insert(kind.clone(), id) {
                    let (first, second) = (first.clone(), id.clone());
                    let kind = kind.clone();
                    return Err(PollerRouteRegistrationError::DuplicateKind { kind, first, second }.into());
                }
            }
        }
        let plugins: Vec<&PluginSection> = self.sections().collect();
        for (index, plugin) in plugins.iter().enumerate() {
            if let Some(overlap) = plugins[..index].iter().find_map(|other| PrefixOverlap::of(other, plugin)) {
                return Err(overlap.into());
            }
            self.refuse_ticks_of_others(plugin)?;
        }
        Ok(())
    }

    /// An operator who allows `news.*` does not mean the ticks on `news.tick`, which a NATS server would let through.
    fn refuse_ticks_of_others(&self, plugin: &PluginSection) -> Result<(), PluginConflict> {
        let grants = self.grants(plugin);
        for other in self.sections() {
            let Some(poller) = &other.poller else { continue };
            for ticks in [poller.tick_topic(), poller.cancel_topic()] {
                let mut allowed = grants.publish.iter().chain(&grants.subscribe);
                if let Some(pattern) = allowed.find(|pattern| pattern.matches(&ticks)) {
                    let (plugin, other, pattern) = (plugin.id.clone(), other.id.clone(), pattern.to_string());
                    return Err(PluginConflict::Ticks { plugin, pattern, ticks, other });
                }
            }
        }
        Ok(())
    }

    fn sections(&self) -> impl Iterator<Item = &PluginSection> {
        self.found
            .iter()
            .map(|plugin| &plugin.manifest.plugin)
            .chain(self.remote.iter().map(|manifest| &manifest.plugin))
    }

    fn grants(&self, plugin: &PluginSection) -> PluginGrants {
        self.allow.get(&plugin.id).cloned().unwrap_or_default()
    }

    /// What `plugin` of this set may say and hear.
    pub(crate) fn rights(&self, plugin: &PluginSection) -> PluginRights {
        PluginRights::of(plugin, &self.grants(plugin))
    }

    /// What the manifests ask for in vain, and what is allowed to nobody: nothing breaks by it, and the operator may mean it.
    pub(crate) fn warnings(&self, file: &PollersFile) -> Vec<Problem> {
        let mut said = Vec::new();
        for plugin in self.sections() {
            let rights = self.rights(plugin);
            let withheld = rights.withheld().iter();
            said.extend(withheld.map(|wish| format!("the manifest of plugin `{}` asks to {wish}", plugin.id)));
        }
        let unknown = self.allow.keys().filter(|id| self.sections().all(|plugin| plugin.id != **id));
        said.extend(unknown.map(|id| format!("`allow`: there is no plugin `{id}`")));
        let file = file.path.display().to_string();
        said.into_iter().map(|message| Problem { file: file.clone(), place: None, job: None, message }).collect()
    }

    /// Every kind that is offered, built-in ones too, in alphabetical order.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let here = self.found.iter().map(|plugin| &plugin.manifest);
        let sections = here.chain(&self.remote).filter_map(|manifest| manifest.plugin.poller.as_ref());
        let mut kinds: Vec<String> = sections.flat_map(|section| section.kinds.iter().cloned()).collect();
        kinds.extend(built_in::kinds().map(str::to_owned));
        kinds.sort_unstable();
        kinds
    }

    /// The faults as problems of `file`, which named the paths.
    pub(crate) fn problems(&self, file: &PollersFile) -> Vec<Problem> {
        let file = file.path.display().to_string();
        let problem = |fault: &PluginFault| Problem {
            file: file.clone(),
            place: None,
            job: None,
            message: format!("`plugins`: {fault}"),
        };
        self.faults.iter().map(problem).collect()
    }

    /// The plugin that serves `kind` and that others start.
    pub(crate) fn remote_of(&self, kind: &str) -> Option<&str> {
        let serves = |manifest: &&Manifest| {
            manifest.plugin.poller.iter().any(|poller| poller.kinds.iter().any(|served| served == kind))
        };
        self.remote.iter().find(serves).map(|manifest| manifest.plugin.id.as_str())
    }

    /// The program that serves `kind`.
    pub(crate) fn binary_of(&self, kind: &str) -> Option<&PluginBinary> {
        self.found.iter().find(|plugin| {
            plugin.manifest.plugin.poller.iter().any(|poller| poller.kinds.iter().any(|served| served == kind))
        })
    }
}

/// What is found at `path`. Binaries without a manifest are asked for it, and everything else is read.
async fn look_at(
    path: PathBuf,
    environment: PluginEnvironment,
) -> Result<(Vec<PluginBinary>, Vec<DiscoverError>), NotRead> {
    let runtime = Handle::current();
    // Each binary that is asked has a time limit of its own.
    within(LOOKING, "plugins", move || runtime.block_on(discover_in(&path, &environment))).await
}

/// The manifests at `path`: one file, or every `.toml` of a directory.
fn manifests(path: &Path) -> Result<Vec<Manifest>, PluginFault> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| PluginFault::Unreadable { path, source }
    };
    let mut files: Vec<PathBuf> = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(failed(path))?;
        files = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
    }
    let read = |file: PathBuf| {
        let text = read_regular_file(&file, Manifest::MAX_BYTES as u64).map_err(failed(&file))?;
        Ok(Manifest::parse(&text, &file.display().to_string())?)
    };
    files.into_iter().map(read).collect()
}

/// Why this daemon cannot run the plugin, where it cannot.
fn refusal(plugin: &PluginSection) -> Option<PluginFault> {
    let needed = plugin.min_nexo_version.as_deref()?;
    let this = env!("CARGO_PKG_VERSION");
    let (needed_version, this_version) = (VersionReq::parse(needed).ok()?, Version::parse(this).ok()?);
    let fits = needed_version.matches(&this_version);
    (!fits).then(|| PluginFault::Version { id: plugin.id.clone(), needed: needed.to_owned() })
}
