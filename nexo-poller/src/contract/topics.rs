//! The topics that daemons, plugins and channels have agreed on. No other file spells one: a test in the tree holds the
//! sources to that.

/// What a channel plugin subscribes to at most: every message to people and services.
pub const ALL_OUTBOUND: &str = "plugin.outbound.>";
/// Every plugin's calls to its daemon.
pub const ALL_CALLS: &str = "daemon.rpc.*";
/// Every group of daemons.
pub const ALL_MEMBERS: &str = "daemon.members.*";
/// What daemons say to each other about the calls of every plugin.
pub const ALL_RELAYS: &str = "daemon.relay.*";
/// Where everybody's answers arrive. Published plugins list it in their manifest, so ours do too.
pub const ALL_INBOXES: &str = "_inbox.>";
/// What [`ALL_INBOXES`] lies below.
pub const INBOX: &str = "_inbox";
/// The channel that a daemon shows on its own console.
pub const CONSOLE: &str = "console";

/// Where the answers to requests inside one process go, without the request's own id.
const REQUESTS: &str = "_inbox.req.";
const INBOXES: &str = "_inbox.";
const CALLS: &str = "daemon.rpc.";
const OUTBOUND: &str = "plugin.outbound.";
pub(super) const TICK: &str = ".tick";
pub(super) const CANCEL: &str = ".tick.cancel";

/// What calls, and what daemons say to each other, lie below.
pub(super) const DAEMONS: &str = "daemon";
/// Where answers arrive that native clients of NATS have asked for.
const NATIVE_INBOX: &str = "_INBOX";

/// Ids that would make a plugin's own topics those of somebody else: the answers to daemons, and those inside one process.
pub const NO_PLUGIN_IDS: [&str; 2] = [DAEMONS, "req"];

/// The topic prefix of a plugin that chooses none.
#[must_use]
pub fn default_prefix(plugin: &str) -> String {
    format!("plugin.poller.{plugin}")
}

/// Where ticks arrive, below a plugin's topic prefix.
#[must_use]
pub fn ticks(prefix: &str) -> String {
    format!("{prefix}{TICK}")
}

/// Where a daemon says that it wants a tick to end, below a plugin's topic prefix.
#[must_use]
pub fn cancels(prefix: &str) -> String {
    format!("{prefix}{CANCEL}")
}

/// Where `plugin` asks its daemon.
#[must_use]
pub fn calls(plugin: &str) -> String {
    format!("{CALLS}{plugin}")
}

/// Where a message to `account` of `channel` goes.
#[must_use]
pub fn outbound(channel: &str, account: &str) -> String {
    format!("{OUTBOUND}{channel}.{account}")
}

/// Every message to `channel`.
#[must_use]
pub fn channel(channel: &str) -> String {
    format!("{OUTBOUND}{channel}.>")
}

/// Where the daemons of `group` learn of each other.
#[must_use]
pub fn members(group: &str) -> String {
    format!("daemon.members.{group}")
}

/// Where daemons say which of them answers a call of `plugin`.
#[must_use]
pub fn relay(plugin: &str) -> String {
    format!("daemon.relay.{plugin}")
}

/// Where the answer to the request `id` inside one process goes.
#[must_use]
pub fn reply(id: &str) -> String {
    format!("{REQUESTS}{id}")
}

/// What the answers to `user`'s requests are below, on a server that many users share.
#[must_use]
pub fn inbox(user: &str) -> String {
    format!("{INBOXES}{user}")
}

/// Every answer to `user`.
#[must_use]
pub fn answers(user: &str) -> String {
    format!("{INBOXES}{user}.>")
}

/// Whether a request inside one process may be waiting for what comes on `topic`.
#[must_use]
pub fn is_reply(topic: &str) -> bool {
    topic.starts_with(REQUESTS)
}

/// Whether answers arrive on `topic`, a topic or a pattern.
#[must_use]
pub fn is_inbox(topic: &str) -> bool {
    topic.starts_with(INBOXES)
}

/// Whether `topic` is a message to people or services.
#[must_use]
pub fn is_outbound(topic: &str) -> bool {
    topic.starts_with(OUTBOUND)
}

/// Whether a plugin's call to its daemon, or an answer, goes over `topic`.
#[must_use]
pub fn is_call_or_answer(topic: &str) -> bool {
    is_inbox(topic) || topic.starts_with(CALLS)
}

/// Whether `topic` is between a daemon and its plugins: ticks, calls and answers. Everything else is a message to others.
///
/// A plugin may choose any prefix for its ticks, so that any topic which ends like one of a tick counts; an account may be
/// called `tick`.
#[must_use]
pub fn is_protocol(topic: &str) -> bool {
    is_call_or_answer(topic) || ((topic.ends_with(TICK) || topic.ends_with(CANCEL)) && !is_outbound(topic))
}

/// Whether the daemon may publish an answer on `topic`, which a plugin has chosen: whoever asks has an inbox. Anywhere else, and
/// in the daemons' own inboxes, the daemon would publish in the plugin's place.
#[must_use]
pub fn takes_answers(topic: &str) -> bool {
    let mut segments = topic.split('.');
    match (segments.next(), segments.next()) {
        (Some(INBOX), Some(of)) => of != DAEMONS,
        (Some(NATIVE_INBOX), Some(_)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Pattern, matches};

    #[test]
    fn each_topic_is_spelled_as_other_programs_know_it() {
        for (made, known) in [
            (ticks(&default_prefix("jira")), "plugin.poller.jira.tick"),
            (cancels(&default_prefix("jira")), "plugin.poller.jira.tick.cancel"),
            (calls("jira"), "daemon.rpc.jira"),
            (outbound("telegram", "bot_1"), "plugin.outbound.telegram.bot_1"),
            (channel(CONSOLE), "plugin.outbound.console.>"),
            (members("blue"), "daemon.members.blue"),
            (relay("jira"), "daemon.relay.jira"),
            (reply("7"), "_inbox.req.7"),
            (inbox("jira"), "_inbox.jira"),
            (answers("jira"), "_inbox.jira.>"),
        ] {
            assert_eq!(made, known);
        }
    }

    #[test]
    fn each_pattern_matches_the_topics_that_it_is_for() {
        for (pattern, topic) in [
            (ALL_OUTBOUND.to_owned(), outbound("telegram", "bot.1")),
            (ALL_CALLS.to_owned(), calls("jira")),
            (ALL_MEMBERS.to_owned(), members("blue")),
            (ALL_RELAYS.to_owned(), relay("jira")),
            (ALL_INBOXES.to_owned(), reply("7")),
            (ALL_INBOXES.to_owned(), format!("{}.7", inbox("jira"))),
            (answers("jira"), format!("{}.7.8", inbox("jira"))),
            (channel("console"), outbound("console", "a")),
        ] {
            assert!(matches(&pattern, &topic), "{pattern} against {topic}");
            assert!(pattern.parse::<Pattern>().is_ok(), "{pattern}");
        }
        assert!(reply("7").starts_with(INBOX) && is_inbox(&reply("7")) && is_reply(&reply("7")));
    }

    #[test]
    fn ticks_calls_and_answers_are_the_protocol_and_an_account_may_be_called_tick() {
        for topic in [ticks("acme.jira"), cancels("acme.jira"), calls("jira"), reply("7"), answers("jira")] {
            assert!(is_protocol(&topic), "{topic}");
        }
        for topic in [outbound("slack", "tick"), "news.item".to_owned(), members("blue"), relay("jira")] {
            assert!(!is_protocol(&topic), "{topic}");
        }
        assert!(!is_call_or_answer(&ticks("acme.jira")), "a tick is neither");
    }

    #[test]
    fn no_answer_goes_where_the_protocol_has_other_uses() {
        for topic in [ticks("plugin.poller.jira"), calls("jira"), outbound("a", "b"), "$KV.jobs.a".to_owned()] {
            assert!(!takes_answers(&topic), "{topic}");
        }
        assert!(takes_answers(&reply("7")) && takes_answers("_INBOX.7"));
        for topic in ["_inbox", "_inbox.daemon.x.y", "news.answers", "_inboxes.7"] {
            assert!(!takes_answers(topic), "{topic}");
        }
    }
}
