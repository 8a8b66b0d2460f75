//! Which topics nobody can give to a plugin, be it by its manifest or by the operator's leave.

use super::topics::{CANCEL, DAEMONS, INBOX, TICK, is_outbound, ticks};

/// What calls lie below, among what is the daemons'.
const RPC: &str = "rpc";

/// Whether `topic` is one that no plugin may publish on or hear because somebody allows it: what daemons say to each other and
/// to plugins, calls, answers, ticks, and what is the NATS server's own. What a plugin has of these it has because of who it is.
#[must_use]
pub fn is_reserved(topic: &str) -> bool {
    let first = topic.split('.').next().unwrap_or_default();
    let ends = |with: &str| topic.ends_with(with) || topic == &with[1..];
    let of_ticks = (ends(TICK) || ends(CANCEL)) && !is_outbound(topic);
    is_protocols_own(first) || of_ticks
}

/// Why nobody can allow `pattern` to a plugin; `None` where an operator can. What it may match beyond that, as `news.*` may match
/// `news.tick`, is [reserved](is_reserved) all the same.
#[must_use]
pub fn why_not_grantable(pattern: &str) -> Option<&'static str> {
    let segments: Vec<&str> = pattern.split('.').collect();
    let is_wild = |segment: &&str| matches!(*segment, "*" | ">");
    if is_reserved(pattern) {
        Some("ticks, calls, answers, what daemons say to each other and what begins with `$` are the protocol's own")
    } else if segments.first().is_none_or(is_wild) {
        Some("its first segment must not be a wildcard: it would match the protocol's own topics")
    } else if segments[0] == "plugin" && segments.get(1).is_none_or(|second| is_wild(second) || *second == "poller") {
        Some("its second segment must be a word, and not `poller`: it would match the ticks of plugins")
    } else {
        None
    }
}

/// Why a manifest of `plugin` that asks for `pattern` is refused; `None` where it is only given less than it asks for. Published
/// plugins ask for `daemon.rpc.*` and `_inbox.>`; nobody needs what is refused here for anything but an attack.
#[must_use]
pub fn why_refused(plugin: &str, pattern: &str) -> Option<&'static str> {
    let segments: Vec<&str> = pattern.split('.').collect();
    match segments.as_slice() {
        [first, ..] if first.starts_with('$') => Some("what begins with `$` is the NATS server's own"),
        [DAEMONS, RPC, "*" | ">"] => None,
        [DAEMONS, RPC, whose] if *whose == plugin => None,
        [DAEMONS, RPC, ..] => Some("these are the calls of another plugin; a plugin calls in its own name only"),
        [DAEMONS, "*" | ">", ..] => None,
        [DAEMONS, ..] => Some("this is what daemons say to each other"),
        _ => None,
    }
}

/// Why ticks cannot arrive below `prefix`; `None` where they can.
#[must_use]
pub fn why_no_prefix(prefix: &str) -> Option<&'static str> {
    let first = prefix.split('.').next().unwrap_or_default();
    if is_protocols_own(first) {
        Some("must not lie among the protocol's own topics")
    } else if is_outbound(&ticks(prefix)) {
        Some("must not lie among the messages to channels")
    } else {
        None
    }
}

/// Whether everything that begins with this segment is the protocol's own, or the NATS server's.
fn is_protocols_own(first: &str) -> bool {
    first.starts_with('$') || first == DAEMONS || first.eq_ignore_ascii_case(INBOX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_needs_for_itself_is_allowed_to_nobody() {
        for pattern in [
            ">",
            "*.outbound.>",
            "plugin.>",
            "plugin.*.a",
            "plugin.poller.jira.tick",
            "plugin.poller.>",
            "acme.tick",
            "acme.tick.cancel",
            "tick",
            "daemon",
            "daemon.>",
            "daemon.rpc.jira",
            "_inbox.>",
            "_INBOX.>",
            "_Inbox.a",
            "$KV.>",
            "$SYS",
        ] {
            assert!(why_not_grantable(pattern).is_some(), "{pattern}");
        }
        for pattern in ["news.*", "news.>", "plugin.inbound.slack", "plugin.outbound.slack.tick", "daemons.x"] {
            assert_eq!(why_not_grantable(pattern), None, "{pattern}");
        }
        assert!(is_reserved("news.tick") && !is_reserved("plugin.outbound.slack.tick"));
    }

    #[test]
    fn a_manifest_is_refused_for_what_can_only_be_an_attack() {
        for pattern in
            ["$KV.>", "$SYS", "daemon", "daemon.members.*", "daemon.relay.jira", "daemon.rpc.rss", "daemon.rpc.a.>"]
        {
            assert!(why_refused("jira", pattern).is_some(), "{pattern}");
        }
        for pattern in
            [">", "plugin.>", "daemon.>", "daemon.rpc.*", "daemon.rpc.>", "daemon.rpc.jira", "_inbox.>", "_INBOX.>"]
        {
            assert_eq!(why_refused("jira", pattern), None, "{pattern}");
        }
        for prefix in ["daemon.rpc", "daemon", "$SYS", "_inbox.x", "plugin.outbound", "plugin.outbound.slack"] {
            assert!(why_no_prefix(prefix).is_some(), "{prefix}");
        }
        for prefix in ["plugin.poller.jira", "acme", "plugin"] {
            assert_eq!(why_no_prefix(prefix), None, "{prefix}");
        }
    }
}
