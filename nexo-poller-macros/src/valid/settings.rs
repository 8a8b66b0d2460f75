use std::fmt::Display;

use proc_macro2::Ident;
use syn::{LitStr, Path};

use super::{keys, rules};
use crate::attr::Entry;
use crate::errors::Errors;

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
    pub(super) fn check(entries: Vec<Entry>, all_read: bool, function: Option<&Ident>, errors: &mut Errors) -> Self {
        let mut settings = Self::unsaid();
        let mut seen: Vec<String> = Vec::new();
        for entry in entries {
            let key = entry.key.to_string();
            if seen.contains(&key) {
                errors.on(&entry.key, format!("`{key}` is given twice"));
                continue;
            }
            settings.take(&key, &entry, errors);
            seen.push(key);
        }
        // Somebody who wrote `kinds = …` has been told what to write already.
        if all_read && !seen.iter().any(|key| key == "kind" || key == "kinds") {
            let name = function.map(Ident::to_string).filter(|name| rules::kind(name).is_ok());
            let name = name.as_deref().unwrap_or("jira");
            errors.on_the_attribute(format!(
                "a poller needs a kind, the name that jobs in `pollers.yaml` select it by: \
                 write `#[poller(kind = \"{name}\")]`"
            ));
        }
        settings.check_default_plugin_id(errors);
        settings
    }

    fn take(&mut self, key: &str, entry: &Entry, errors: &mut Errors) {
        match key {
            "kind" => self.kind = ruled(entry.text(errors), rules::kind, errors),
            "description" => self.description = entry.text(errors),
            "publish" => self.publish = all_ruled(entry.texts(errors), errors),
            "subscribe" => self.subscribe = all_ruled(entry.texts(errors), errors),
            "lifecycle" => self.lifecycle = entry.text(errors).and_then(|text| lifecycle(&text, errors)),
            "max_concurrent_ticks" => self.max_concurrent_ticks = entry.number(64, "", errors),
            "tick_timeout_secs" => self.tick_timeout_secs = entry.number(3600, " seconds", errors),
            "plugin_id" => self.plugin_id = ruled(entry.text(errors), rules::plugin_id, errors),
            "name" => self.name = ruled(entry.text(errors), not_blank, errors),
            "topic_prefix" => self.topic_prefix = ruled(entry.text(errors), rules::topic_prefix, errors),
            "min_nexo_version" => {
                self.min_nexo_version = ruled(entry.text(errors), rules::version_requirement, errors);
            }
            "main" => self.main = entry.yes_or_no(errors).unwrap_or(true),
            "crate" => self.library = entry.path(errors).unwrap_or_else(|| syn::parse_quote!(::nexo_poller)),
            unknown => errors.on(&entry.key, keys::unknown(unknown)),
        }
    }

    /// A kind may be longer than a plugin's id. A poller with a `main` of its own is a plugin of its own.
    fn check_default_plugin_id(&self, errors: &mut Errors) {
        let Some(kind) = self.kind.as_ref().filter(|_| self.main && self.plugin_id.is_none()) else { return };
        if rules::plugin_id(&kind.value()).is_err() {
            errors.on(
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
    errors: &mut Errors,
) -> Option<LitStr> {
    text.filter(|text| rule(&text.value()).map_err(|error| errors.on(text, error)).is_ok())
}

fn all_ruled(texts: Vec<LitStr>, errors: &mut Errors) -> Vec<LitStr> {
    let mut patterns: Vec<LitStr> = Vec::new();
    for text in texts {
        if patterns.iter().any(|known| known.value() == text.value()) {
            errors.on(&text, "this pattern is listed twice");
        } else {
            patterns.extend(ruled(Some(text), rules::topic_pattern, errors));
        }
    }
    patterns
}

fn not_blank(name: &str) -> Result<(), &'static str> {
    if name.trim().is_empty() { Err("a plugin's display name must not be empty") } else { Ok(()) }
}

fn lifecycle(text: &LitStr, errors: &mut Errors) -> Option<Lifecycle> {
    match text.value().as_str() {
        "long_lived" => Some(Lifecycle::LongLived),
        "ephemeral" => Some(Lifecycle::Ephemeral),
        _ => {
            errors.on(
                text,
                "`lifecycle` must be \"long_lived\" (one process, many ticks) or \"ephemeral\" (one process per tick)",
            );
            None
        }
    }
}
