use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nexo_poller::manifest::PluginGrants;

use crate::config::keys::settings as key;
use crate::config::yaml::{Sink, Table};
use crate::config::{AdminSettings, BrokerSettings, PluginEntry, allow};

/// Beside the state file: what calls that change something must show.
pub(crate) const TOKEN_FILE: &str = "admin.token";

/// What `pollers:` says besides its jobs. Paths are absolute or relative to the working directory: those of the file
/// have been joined to the file's own directory.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// `enabled`: whether jobs run at all. The daemon answers its commands either way.
    pub(crate) enabled: bool,
    /// `state_db`: the SQLite file.
    pub(crate) state_db: PathBuf,
    /// `default_jitter_ms`.
    pub(crate) default_jitter_ms: u64,
    /// `lease_ttl_factor`.
    pub(crate) lease_ttl_factor: f64,
    /// `failure_alert_cooldown_secs`.
    pub(crate) failure_alert_cooldown_secs: u64,
    /// `breaker_threshold`.
    pub(crate) breaker_threshold: u32,
    /// `plugins`.
    pub(crate) plugins: Vec<PluginEntry>,
    /// `allow`: what plugins may publish and hear beyond what every plugin may, by their ids.
    pub(crate) allow: BTreeMap<String, PluginGrants>,
    /// `broker`: the NATS server of several machines; without it, this machine is alone.
    pub(crate) broker: Option<BrokerSettings>,
    /// `credentials`: the file with the agents' accounts.
    pub(crate) credentials: Option<PathBuf>,
    /// `admin`: where the daemon can be asked, and by whom.
    pub(crate) admin: AdminSettings,
}

impl Settings {
    /// What a file in `dir` means that says nothing.
    #[must_use]
    pub(crate) fn defaults(dir: &Path) -> Self {
        Self {
            enabled: key::ENABLED.default(),
            state_db: dir.join(key::STATE_DB.default()),
            default_jitter_ms: key::DEFAULT_JITTER_MS.default(),
            lease_ttl_factor: key::LEASE_TTL_FACTOR.default(),
            failure_alert_cooldown_secs: key::FAILURE_ALERT_COOLDOWN_SECS.default(),
            breaker_threshold: key::BREAKER_THRESHOLD.default(),
            plugins: Vec::new(),
            allow: BTreeMap::new(),
            broker: None,
            credentials: None,
            admin: AdminSettings::default(),
        }
    }

    /// What the daemon itself keeps secret, the file at `main` included.
    pub(super) fn secret_files(&self, main: &Path) -> Vec<PathBuf> {
        let state = |end: &str| {
            let mut path = self.state_db.as_os_str().to_owned();
            path.push(end);
            PathBuf::from(path)
        };
        let own = [main.to_owned(), self.state_db.with_file_name(TOKEN_FILE), state(""), state("-wal"), state("-shm")];
        let tls = self.admin.tls.as_ref().map(|tls| tls.key.clone());
        own.into_iter().chain(self.credentials.clone()).chain(self.admin.token_file.clone()).chain(tls).collect()
    }

    pub(super) fn read(table: &mut Table<'_>, dir: &Path, sink: &mut Sink<'_>) -> Self {
        Self {
            enabled: key::ENABLED.read(table, sink),
            state_db: dir
                .join(key::STATE_DB.read(table, sink).map_or(key::STATE_DB.default().to_owned(), |(path, _)| path)),
            default_jitter_ms: key::DEFAULT_JITTER_MS.read(table, sink),
            lease_ttl_factor: key::LEASE_TTL_FACTOR.read(table, sink),
            failure_alert_cooldown_secs: key::FAILURE_ALERT_COOLDOWN_SECS.read(table, sink),
            breaker_threshold: key::BREAKER_THRESHOLD.read(table, sink),
            plugins: PluginEntry::read_all(table, dir, sink),
            allow: allow::read(table, sink),
            broker: BrokerSettings::read(table, dir, sink),
            credentials: key::CREDENTIALS.read_path(table, sink).map(|path| dir.join(path)),
            admin: AdminSettings::read(table, dir, sink).unwrap_or_default(),
        }
    }
}
