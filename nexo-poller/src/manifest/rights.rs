use std::fmt;

use super::PluginSection;
use crate::contract::reserved::{is_reserved, why_not_grantable};
use crate::contract::{Pattern, check_topic, topics};

/// What an operator allows a plugin beyond what every plugin may. It widens nothing that the plugin's manifest does not ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginGrants {
    /// Topics that it may publish on.
    pub publish: Vec<Pattern>,
    /// Topics that it may hear.
    pub subscribe: Vec<Pattern>,
}

/// What a plugin may say and hear: derived from who it is, what its manifest asks for, and what the operator allows. A manifest is
/// a wish. Whatever it says, a plugin
///
/// - hears its own ticks, and the answers to its own open questions;
/// - calls its daemon in its own name, and answers what it was asked;
/// - publishes messages to channels (`plugin.outbound.>`) where its manifest says so, and hears those to the channel that has its
///   name where it polls nothing;
/// - has of other topics what its manifest asks for and the operator allows;
/// - has nothing else of what is the protocol's own: nobody can allow that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginRights {
    calls: String,
    ticks: Option<String>,
    cancels: Option<String>,
    publish: Vec<Pattern>,
    subscribe: Vec<Pattern>,
    withheld: Vec<Withheld>,
}

/// A wish of a manifest that a plugin is not given, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Withheld {
    /// `publish` or `subscribe`.
    pub list: &'static str,
    /// What the manifest asks for.
    pub pattern: String,
    /// What of it the plugin is given.
    pub given: Vec<String>,
}

impl PluginGrants {
    /// These patterns.
    #[must_use]
    pub fn new(publish: Vec<Pattern>, subscribe: Vec<Pattern>) -> Self {
        Self { publish, subscribe }
    }

    /// Everything that an operator can allow of what `plugin` asks for: where there is no operator, as in the tests of a poller.
    #[must_use]
    pub fn of_wishes(plugin: &PluginSection) -> Self {
        let asked = &plugin.capabilities.broker;
        let grantable = |wishes: &[String]| {
            let wishes = wishes.iter().filter(|wish| why_not_grantable(wish).is_none());
            wishes.filter_map(|wish| wish.parse().ok()).collect()
        };
        Self { publish: grantable(&asked.publish), subscribe: grantable(&asked.subscribe) }
    }
}

impl PluginRights {
    /// The rights of `plugin`.
    #[must_use]
    pub fn of(plugin: &PluginSection, grants: &PluginGrants) -> Self {
        let asked = &plugin.capabilities.broker;
        let pattern = |text: &str| text.parse::<Pattern>().ok();
        let ticks = plugin.poller.as_ref().map(super::PollerSection::tick_topic);
        let cancels = plugin.poller.as_ref().map(super::PollerSection::cancel_topic);
        let calls = topics::calls(&plugin.id);
        let mut withheld = Vec::new();
        let messages = pattern(topics::ALL_OUTBOUND);
        let publish = Wish { list: "publish", asked: &asked.publish, own: vec![&calls] };
        let publish = publish.within(&messages.iter().chain(&grants.publish), &mut withheld);
        // Who polls hears no messages to people; who is a channel hears those that are for it. The console is the daemon's own.
        let is_channel = plugin.poller.is_none() && plugin.id != topics::CONSOLE;
        let channel = is_channel.then(|| pattern(&topics::channel(&plugin.id))).flatten();
        let own: Vec<&str> = ticks.iter().chain(&cancels).map(String::as_str).collect();
        let subscribe = Wish { list: "subscribe", asked: &asked.subscribe, own };
        let subscribe = subscribe.within(&channel.iter().chain(&grants.subscribe), &mut withheld);
        Self { calls, ticks, cancels, publish, subscribe, withheld }
    }

    /// Whether the plugin may publish on `topic`. Answers are another matter: they go to whoever has asked.
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        topic == self.calls || (may_be_granted(topic) && self.publish.iter().any(|pattern| pattern.matches(topic)))
    }

    /// Whether the plugin may hear what is published on `topic`. Answers are another matter: they come to whoever has asked.
    #[must_use]
    pub fn may_hear(&self, topic: &str) -> bool {
        self.ticks.as_deref() == Some(topic)
            || (may_be_granted(topic) && self.subscribe.iter().any(|pattern| pattern.matches(topic)))
    }

    /// Whether the plugin may subscribe to `pattern`.
    #[must_use]
    pub fn may_subscribe(&self, pattern: &str) -> bool {
        let covered =
            || pattern.parse().is_ok_and(|wanted| self.subscribe.iter().any(|pattern| pattern.covers(&wanted)));
        self.ticks.as_deref() == Some(pattern) || covered()
    }

    /// Where the plugin calls its daemon.
    #[must_use]
    pub fn calls(&self) -> &str {
        &self.calls
    }

    /// Where its ticks arrive, where it polls.
    #[must_use]
    pub fn ticks(&self) -> Option<&str> {
        self.ticks.as_deref()
    }

    /// Where it hears that a tick of its own is to end, where it polls.
    #[must_use]
    pub fn cancels(&self) -> Option<&str> {
        self.cancels.as_deref()
    }

    /// What it may publish on besides its calls.
    #[must_use]
    pub fn publish(&self) -> &[Pattern] {
        &self.publish
    }

    /// What it may hear besides its ticks.
    #[must_use]
    pub fn subscribe(&self) -> &[Pattern] {
        &self.subscribe
    }

    /// What its manifest asks for and it is not given.
    #[must_use]
    pub fn withheld(&self) -> &[Withheld] {
        &self.withheld
    }

    /// Everything that it may publish on, for messages to people.
    #[must_use]
    pub fn publish_list(&self) -> Vec<String> {
        std::iter::once(self.calls.clone()).chain(self.publish.iter().map(ToString::to_string)).collect()
    }
}

/// A pattern that was allowed may match what is the protocol's own: `news.*` matches `news.tick`.
fn may_be_granted(topic: &str) -> bool {
    !is_reserved(topic) && check_topic(topic).is_ok()
}

/// One list of a manifest.
struct Wish<'m> {
    list: &'static str,
    asked: &'m [String],
    /// What the plugin has anyway.
    own: Vec<&'m str>,
}

impl Wish<'_> {
    /// What of the wish lies within one of `scopes`; what does not is added to `withheld`.
    fn within<'s>(
        &self,
        scopes: &(impl Iterator<Item = &'s Pattern> + Clone),
        withheld: &mut Vec<Withheld>,
    ) -> Vec<Pattern> {
        let mut all: Vec<Pattern> = Vec::new();
        for text in self.asked {
            // A manifest that was checked holds patterns only.
            let Ok(asked) = text.parse::<Pattern>() else { continue };
            // Everybody has an inbox, and published plugins ask for all of them.
            let first = text.split('.').next().unwrap_or_default();
            if self.own.contains(&text.as_str()) || first.eq_ignore_ascii_case(topics::INBOX) {
                continue;
            }
            let mut given: Vec<Pattern> = Vec::new();
            for part in scopes.clone().filter_map(|scope| scope.intersection(&asked)) {
                if !given.iter().any(|known| known.covers(&part)) {
                    given.retain(|known| !part.covers(known));
                    given.push(part);
                }
            }
            if !given.contains(&asked) {
                let own = self.own.iter().filter(|own| asked.matches(own)).map(|own| (*own).to_owned());
                let given = given.iter().map(ToString::to_string).chain(own).collect();
                withheld.push(Withheld { list: self.list, pattern: text.clone(), given });
            }
            for part in given {
                if !all.iter().any(|known| known.covers(&part)) {
                    all.retain(|known| !part.covers(known));
                    all.push(part);
                }
            }
        }
        all
    }
}

/// Continues "plugin `x` asks to …".
impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` and may {}", self.list, self.pattern, self.list)?;
        if self.given.is_empty() {
            f.write_str(" nothing of it")
        } else {
            write!(f, " only `{}`", self.given.join("`, `"))
        }
    }
}

#[cfg(test)]
mod tests;
