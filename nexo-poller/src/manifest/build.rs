use super::{
    BrokerCapability, Capabilities, Declaration, Entrypoint, Manifest, PluginSection, PollerSection, Requires,
};
use crate::contract::topics;

/// Two pollers of one plugin that cannot share a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationConflict {
    /// No poller at all.
    #[error("a plugin needs at least one poller: PollerHandler::new().with(…)")]
    Empty,
    /// Both have the same kind.
    #[error("kind `{kind}` is added twice")]
    SameKind {
        /// The kind.
        kind: String,
    },
    /// The poller and its declaration name two kinds.
    #[error("a poller of kind `{kind}` is declared as kind `{declared}`; `Poller::kind` and its declaration name one")]
    OtherKind {
        /// What [`Poller::kind`](crate::contract::Poller::kind) says.
        kind: String,
        /// What the declaration says.
        declared: String,
    },
    /// Both say something, and not the same.
    #[error("kinds `{first}` and `{second}` share one plugin but disagree on `{key}`: {first_says} and {second_says}")]
    Disagree {
        /// The attribute.
        key: &'static str,
        /// The kind that was added first.
        first: String,
        /// The other.
        second: String,
        /// What the first says.
        first_says: String,
        /// What the second says.
        second_says: String,
    },
}

/// The manifest of a plugin that serves `declarations`, in the order they were added; the first gives the identity.
///
/// A number that the kinds disagree on becomes the largest of them: the manifest speaks for the whole plugin, and the
/// plugin side holds each kind to its own.
///
/// # Errors
/// [`DeclarationConflict`] where two kinds cannot share one plugin.
pub fn manifest_of(declarations: &[Declaration]) -> Result<Manifest, DeclarationConflict> {
    let first = declarations.first().ok_or(DeclarationConflict::Empty)?;
    for (index, declaration) in declarations.iter().enumerate() {
        if declarations[..index].iter().any(|other| other.kind == declaration.kind) {
            return Err(DeclarationConflict::SameKind { kind: declaration.kind.to_owned() });
        }
    }
    let package = first.package;
    let id = agreed(declarations, "plugin_id", |d| d.plugin_id)?.unwrap_or(first.kind);
    let prefix = agreed(declarations, "topic_prefix", |d| d.topic_prefix)?;
    let prefix = prefix.map_or_else(|| topics::default_prefix(id), str::to_owned);
    // One process serves all of them, so saying nothing is saying `long_lived`.
    agreed(declarations, "lifecycle", |d| Some(d.lifecycle.unwrap_or_default().as_str()))?;
    let name = agreed(declarations, "name", |d| d.name)?;
    let required = agreed(declarations, "min_nexo_version", |d| d.min_nexo_version)?;
    // Several kinds are described by the crate they share, one kind by itself; whichever is there.
    let said = if declarations.len() > 1 { package.description } else { first.description };
    let description = if said.trim().is_empty() { package.description } else { said };
    let name = name.map_or_else(|| title_of(id), str::to_owned);
    // Published validators refuse a plugin that says nothing of itself.
    let description = if description.trim().is_empty() { name.as_str() } else { description };
    let most = |value: fn(&Declaration) -> Option<u32>, default: u32| {
        declarations.iter().map(|d| value(d).unwrap_or(default)).max().unwrap_or(default)
    };
    Ok(Manifest {
        manifest_version: 2,
        plugin: PluginSection {
            id: id.to_owned(),
            version: package.version.to_owned(),
            description: description.to_owned(),
            name,
            min_nexo_version: Some(required.unwrap_or(">=0.2.0").to_owned()),
            entrypoint: Entrypoint {
                command: package.bin.unwrap_or(package.name).to_owned(),
                args: Vec::new(),
                env: Default::default(),
            },
            requires: Requires { nexo_capabilities: vec!["broker".to_owned()] },
            capabilities: Capabilities {
                broker: BrokerCapability {
                    subscribe: patterns(topics::ticks(&prefix), declarations, |d| d.subscribe),
                    publish: patterns(topics::calls(id), declarations, |d| d.publish),
                },
            },
            poller: Some(PollerSection {
                kinds: declarations.iter().map(|d| d.kind.to_owned()).collect(),
                broker_topic_prefix: prefix,
                lifecycle: first.lifecycle.unwrap_or_default(),
                max_concurrent_ticks: most(|d| d.max_concurrent_ticks, PollerSection::default_max_concurrent_ticks()),
                tick_timeout_secs: most(|d| d.tick_timeout_secs, PollerSection::default_tick_timeout_secs()),
            }),
        },
    })
}

/// What all declarations that say something about `key` say.
fn agreed(
    declarations: &[Declaration],
    key: &'static str,
    value: impl Fn(&Declaration) -> Option<&'static str>,
) -> Result<Option<&'static str>, DeclarationConflict> {
    let mut said = declarations.iter().filter_map(|d| value(d).map(|says| (d.kind, says)));
    let Some((first, first_says)) = said.next() else { return Ok(None) };
    match said.find(|(_, says)| *says != first_says) {
        None => Ok(Some(first_says)),
        Some((second, second_says)) => Err(DeclarationConflict::Disagree {
            key,
            first: first.to_owned(),
            second: second.to_owned(),
            first_says: first_says.to_owned(),
            second_says: second_says.to_owned(),
        }),
    }
}

/// The plugin's own two topics around what the pollers ask for, each once: own topic, the author's, the inbox.
fn patterns(
    own: String,
    declarations: &[Declaration],
    asked: impl Fn(&Declaration) -> &'static [&'static str],
) -> Vec<String> {
    let mut all = vec![own];
    for pattern in declarations.iter().flat_map(asked).chain([&topics::ALL_INBOXES]) {
        if !all.iter().any(|known| known == pattern) {
            all.push((*pattern).to_owned());
        }
    }
    all
}

/// `google_calendar` → `Google Calendar Poller`.
fn title_of(id: &str) -> String {
    let mut title = String::new();
    for word in id.split('_').filter(|word| !word.is_empty()) {
        let mut letters = word.chars();
        title.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        title.push_str(letters.as_str());
        title.push(' ');
    }
    title + "Poller"
}
