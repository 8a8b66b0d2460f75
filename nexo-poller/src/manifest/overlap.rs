use super::PluginSection;
use crate::contract::topics;

/// Why two plugins cannot be used together: the ticks of one would arrive among the topics of the other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "plugin `{plugin}` has `broker_topic_prefix = \"{prefix}\"`, which lies with the topics of plugin `{other}` (`{taken}`): \
     remove one of them, or choose another prefix in its manifest"
)]
#[non_exhaustive]
pub struct PrefixOverlap {
    /// The plugin whose prefix it is.
    pub plugin: String,
    /// The prefix.
    pub prefix: String,
    /// The plugin that has the topics.
    pub other: String,
    /// What they lie below.
    pub taken: String,
}

impl PrefixOverlap {
    /// What of `second` lies with `first`, or the other way round, if something does.
    #[must_use]
    pub fn of(first: &PluginSection, second: &PluginSection) -> Option<Self> {
        Self::one_way(second, first).or_else(|| Self::one_way(first, second))
    }

    /// What of `plugin` lies with `other`. What a plugin has that chooses no prefix is nobody else's, whether it uses it or not.
    fn one_way(plugin: &PluginSection, other: &PluginSection) -> Option<Self> {
        let prefix = &plugin.poller.as_ref()?.broker_topic_prefix;
        let chosen = other.poller.as_ref().map(|poller| poller.broker_topic_prefix.clone());
        let taken = chosen.into_iter().chain([topics::default_prefix(&other.id)]);
        let taken = taken.into_iter().find(|taken| is_within(prefix, taken))?;
        Some(Self { plugin: plugin.id.clone(), prefix: prefix.clone(), other: other.id.clone(), taken })
    }
}

/// Whether the topic `prefix` is `other`, or lies below it.
fn is_within(prefix: &str, other: &str) -> bool {
    prefix.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;

    fn plugin(id: &str, prefix: &str) -> PluginSection {
        let text = format!(
            "manifest_version = 2\n[plugin]\nid = '{id}'\nversion = '0.1.0'\nname = 'A'\n[plugin.entrypoint]\ncommand = 'a'\n\
             [plugin.poller]\nkinds = ['{id}']\nbroker_topic_prefix = '{prefix}'\n"
        );
        Manifest::parse(&text, "test").unwrap().plugin
    }

    #[test]
    fn whoever_would_get_ticks_of_another_is_named_with_it() {
        for (first, second) in [
            (("jira", "plugin.poller.jira"), ("evil", "plugin.poller.jira")),
            (("jira", "plugin.poller.jira"), ("evil", "plugin.poller.jira.tick")),
            (("jira", "plugin.poller.jira.a"), ("evil", "plugin.poller.jira")),
            (("jira", "acme"), ("evil", "plugin.poller.jira")),
            (("jira", "acme"), ("evil", "acme")),
        ] {
            let (first, second) = (plugin(first.0, first.1), plugin(second.0, second.1));
            for (one, two) in [(&first, &second), (&second, &first)] {
                let said = PrefixOverlap::of(one, two).expect("they overlap").to_string();
                assert!(said.contains("`jira`") && said.contains("`evil`"), "{said}");
            }
        }
    }

    #[test]
    fn neighbours_do_not_overlap() {
        for (one, two) in [("plugin.poller.jira", "plugin.poller.jira_cloud"), ("acme.jira", "acme.rss")] {
            assert_eq!(PrefixOverlap::of(&plugin("jira", one), &plugin("rss", two)), None);
        }
    }
}
