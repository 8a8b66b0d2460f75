use std::fmt::Display;

use proc_macro2::Ident;
use syn::{LitStr, Path};

use super::{keys, rules};
use crate::attr::Entry;
use crate::mistakes::Mistakes;

/// What the attribute says.
pub(crate) struct Settings {
    pub(crate) kind: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) publish: Vec<LitStr>,
    pub(crate) subscribe: Vec<LitStr>,
    pub(crate) lifecycle: Option<Lifecycle>,
    pub(crate) max_concurrent_ticks: Option<u32>,
    pub(crate) tick_timeout_secs: Option<u32>,
    pub(crate) plugin_id: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) topic_prefix: Option<LitStr>,
    pub(crate) min_nexo_version: Option<LitStr>,
    pub(crate) main: bool,
    /// Where the library is.
    pub(crate) library: Path,
}

/// How the daemon runs the plugin.
#[derive(Clone, Copy)]
pub(crate) enum Lifecycle {
    LongLived,
    Ephemeral,
}

impl Settings {
    fn unsaid() -> Self {
        Self {
            kind: None,
            description: None,
            publish: Vec::new(),
            subscribe: Vec::new(),
            lifecycle: None,
            max_concurrent_ticks: None,
            tick_timeout_secs: None,
            plugin_id: None,
            name: None,
            topic_prefix: None,
            min_nexo_version: None,
            main: true,
            library: syn::parse_quote!(::nexo_poller),
        }
    }

    /// Checks each entry; `function` is what the poller's function is called.
    pub(super) fn check(
        entries: Vec<Entry>,
        all_read: bool,
        function: Option<&Ident>,
        mistakes: &mut Mistakes,
    ) -> Self {
        let mut settings = Self::unsaid();
        let mut seen: Vec<String> = Vec::new();
        for entry in entries {
            let key = entry.key.to_string();
            if seen.contains(&key) {
                mistakes.on(&entry.key, format!("`{key}` is given twice"));
                continue;
            }
            settings.take(&key, &entry, mistakes);
            seen.push(key);
        }
        // Somebody who wrote `kinds = …` has been told what to write already.
        if all_read && !seen.iter().any(|key| key == "kind" || key == "kinds") {
            let name = function.map(Ident::to_string).filter(|name| rules::kind(name).is_ok());
            let name = name.as_deref().unwrap_or("jira");
            mistakes.on_the_attribute(format!(
                "a poller needs a kind, the name that jobs in `pollers.yaml` select it by: \
                 write `#[poller(kind = \"{name}\")]`"
            ));
        }
        settings.check_default_plugin_id(mistakes);
        settings
    }

    fn take(&mut self, key: &str, entry: &Entry, mistakes: &mut Mistakes) {
        match key {
            "kind" => self.kind = ruled(entry.text(mistakes), rules::kind, mistakes),
            "description" => self.description = entry.text(mistakes),
            "publish" => self.publish = all_ruled(entry.texts(mistakes), mistakes),
            "subscribe" => self.subscribe = all_ruled(entry.texts(mistakes), mistakes),
            "lifecycle" => self.lifecycle = entry.text(mistakes).and_then(|text| lifecycle(&text, mistakes)),
            "max_concurrent_ticks" => self.max_concurrent_ticks = entry.number(64, "", mistakes),
            "tick_timeout_secs" => self.tick_timeout_secs = entry.number(3600, " seconds", mistakes),
            "plugin_id" => self.plugin_id = ruled(entry.text(mistakes), rules::plugin_id, mistakes),
            "name" => self.name = ruled(entry.text(mistakes), not_blank, mistakes),
            "topic_prefix" => self.topic_prefix = ruled(entry.text(mistakes), rules::topic_prefix, mistakes),
            "min_nexo_version" => {
                self.min_nexo_version = ruled(entry.text(mistakes), rules::version_requirement, mistakes);
            }
            "main" => self.main = entry.yes_or_no(mistakes).unwrap_or(true),
            "crate" => self.library = entry.path(mistakes).unwrap_or_else(|| syn::parse_quote!(::nexo_poller)),
            unknown => mistakes.on(&entry.key, keys::unknown(unknown)),
        }
    }

    /// A kind may be longer than a plugin's id. A poller with a `main` of its own is a plugin of its own.
    fn check_default_plugin_id(&self, mistakes: &mut Mistakes) {
        let Some(kind) = self.kind.as_ref().filter(|_| self.main && self.plugin_id.is_none()) else { return };
        if rules::plugin_id(&kind.value()).is_err() {
            mistakes.on(
                kind,
                format!(
                    "the kind is also the plugin id, which may have at most 32 characters, but this one has {}: \
                     shorten it, or add `plugin_id = \"…\"`",
                    kind.value().len()
                ),
            );
        }
    }
}

fn ruled<E: Display>(
    text: Option<LitStr>,
    rule: impl Fn(&str) -> Result<(), E>,
    mistakes: &mut Mistakes,
) -> Option<LitStr> {
    text.filter(|text| rule(&text.value()).map_err(|error| mistakes.on(text, error)).is_ok())
}

fn all_ruled(texts: Vec<LitStr>, mistakes: &mut Mistakes) -> Vec<LitStr> {
    let mut patterns: Vec<LitStr> = Vec::new();
    for text in texts {
        if patterns.iter().any(|known| known.value() == text.value()) {
            mistakes.on(&text, "this pattern is listed twice");
        } else {
            patterns.extend(ruled(Some(text), rules::topic_pattern, mistakes));
        }
    }
    patterns
}

fn not_blank(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() { Err("a plugin's display name must not be empty") } else { Ok(()) }
}

fn lifecycle(text: &LitStr, mistakes: &mut Mistakes) -> Option<Lifecycle> {
    match text.value().as_str() {
        "long_lived" => Some(Lifecycle::LongLived),
        "ephemeral" => Some(Lifecycle::Ephemeral),
        _ => {
            mistakes.on(
                text,
                "`lifecycle` must be \"long_lived\" (one process, many ticks) or \"ephemeral\" (one process per tick)",
            );
            None
        }
    }
}
