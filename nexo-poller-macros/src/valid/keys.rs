use crate::names::nearest;

/// A key of the attribute.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// How it is written, for messages.
    pub(super) example: &'static str,
}

pub(super) const KEYS: [Key; 13] = [
    Key { name: "kind", example: r#"kind = "jira""# },
    Key { name: "description", example: r#"description = "Announces new issues.""# },
    Key { name: "publish", example: r#"publish = ["plugin.outbound.>"]"# },
    Key { name: "subscribe", example: r#"subscribe = ["news.>"]"# },
    Key { name: "lifecycle", example: r#"lifecycle = "long_lived""# },
    Key { name: "max_concurrent_ticks", example: "max_concurrent_ticks = 4" },
    Key { name: "tick_timeout_secs", example: "tick_timeout_secs = 120" },
    Key { name: "plugin_id", example: r#"plugin_id = "jira""# },
    Key { name: "name", example: r#"name = "Jira Poller""# },
    Key { name: "topic_prefix", example: r#"topic_prefix = "plugin.poller.jira""# },
    Key { name: "min_nexo_version", example: r#"min_nexo_version = ">=0.2.0""# },
    Key { name: "main", example: "main = false" },
    Key { name: "crate", example: "crate = nexo_poller" },
];

/// Names that people bring from elsewhere, and what to write here.
const ELSEWHERE: [(&str, &str); 16] = [
    (
        "kinds",
        "one `#[poller]` declares one kind: write `kind = \"…\"`. To put several kinds in one plugin, give each its own \
         function with `main = false`, and write a `main` that calls `PollerHandler::new().with(A).with(B).main()`",
    ),
    ("id", "the plugin's id is `plugin_id`, and defaults to the kind"),
    ("title", "the plugin's display name is `name`"),
    ("doc", "write a doc comment on the function, or `description = \"…\"`"),
    ("version", "the plugin's version is the one in your Cargo.toml"),
    ("interval", "a schedule belongs to a job: write `schedule:` in `pollers.yaml`"),
    ("every", "a schedule belongs to a job: write `schedule:` in `pollers.yaml`"),
    ("cron", "a schedule belongs to a job: write `schedule:` in `pollers.yaml`"),
    ("schedule", "a schedule belongs to a job: write `schedule:` in `pollers.yaml`"),
    ("timeout", "the deadline of a tick is `tick_timeout_secs`"),
    ("timeout_secs", "the deadline of a tick is `tick_timeout_secs`"),
    ("concurrency", "the limit on ticks that run at once is `max_concurrent_ticks`"),
    ("max_concurrent", "the limit on ticks that run at once is `max_concurrent_ticks`"),
    ("broker_topic_prefix", "here it is called `topic_prefix`"),
    ("topics", "topics are listed in `publish` (what ticks send) and `subscribe` (what the plugin receives)"),
    ("config", "the config is an argument of the function: `Config(config): Config<MyConfig>`"),
];

/// The message for `key`, which does not exist.
pub(super) fn unknown(key: &str) -> String {
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(name, _)| *name == key) {
        return format!("unknown key `{key}`: {advice}");
    }
    let legal: Vec<_> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
    let legal = legal.join(", ");
    match nearest(key, KEYS.iter().map(|key| key.name)) {
        Some(meant) => format!("unknown key `{key}`; did you mean `{meant}`?\nexpected one of {legal}"),
        None => format!("unknown key `{key}`; expected one of {legal}"),
    }
}

/// How `key` is written.
pub(super) fn example(key: &str) -> &'static str {
    KEYS.iter().find(|known| known.name == key).map_or("", |known| known.example)
}
