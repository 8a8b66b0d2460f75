use nexo_poller::contract::{HostError, Pattern, matches};
use nexo_poller::manifest::{DeclaredPoller, manifest_of};

/// The topics that may be published on, as the manifest's `publish` list says it.
#[derive(Debug, Clone)]
pub(super) struct Allowlist(Vec<String>);

impl Allowlist {
    /// Everything: for a host that stands alone, without a poller's declaration.
    pub(super) fn everything() -> Self {
        Self(vec![">".to_owned()])
    }

    #[track_caller]
    pub(super) fn of<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Self {
        let checked = patterns.into_iter().map(|pattern| match pattern.as_ref().parse::<Pattern>() {
            Ok(pattern) => pattern.as_str().to_owned(),
            Err(error) => panic!("MockPollerHost::allow: {error}"),
        });
        Self(checked.collect())
    }

    /// The very list that the daemon reads from the plugin's manifest.
    #[track_caller]
    pub(super) fn declared_by<P: DeclaredPoller>() -> Self {
        match manifest_of(&[P::DECLARATION]) {
            Ok(manifest) => Self(manifest.plugin.capabilities.broker.publish),
            Err(conflict) => panic!("the declaration of `{}` makes no manifest: {conflict}", P::DECLARATION.kind),
        }
    }

    pub(super) fn check(&self, topic: &str) -> Result<(), HostError> {
        if self.0.iter().any(|pattern| matches(pattern, topic)) {
            return Ok(());
        }
        Err(HostError::NotAllowed { topic: topic.to_owned(), allowed: self.0.clone() })
    }
}
