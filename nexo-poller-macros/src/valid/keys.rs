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
        "one `#[poller]` is one kind: write `kind = \"…\"`. Several kinds share one plugin when each has its own \
               function with `main = false`, and `main` is `PollerHandler::new().with(A).with(B).main()`",
    ),
    ("id", "the plugin's id is `plugin_id`; it is the kind where it is left out"),
    ("title", "the plugin's name for people is `name`"),
    ("doc", "write a doc comment on the function, or `description = \"…\"`"),
    ("version", "the version is the one in your Cargo.toml"),
    ("interval", "schedules belong to jobs: `schedule:` in `pollers.yaml`"),
    ("every", "schedules belong to jobs: `schedule:` in `pollers.yaml`"),
    ("cron", "schedules belong to jobs: `schedule:` in `pollers.yaml`"),
    ("schedule", "schedules belong to jobs: `schedule:` in `pollers.yaml`"),
    ("timeout", "the deadline of a tick is `tick_timeout_secs`"),
    ("timeout_secs", "the deadline of a tick is `tick_timeout_secs`"),
    ("concurrency", "the number of ticks at once is `max_concurrent_ticks`"),
    ("max_concurrent", "the number of ticks at once is `max_concurrent_ticks`"),
    ("broker_topic_prefix", "here it is called `topic_prefix`"),
    ("topics", "topics are `publish` (what ticks say) and `subscribe` (what they hear)"),
    ("config", "the config's type is an argument of the function: `Config(config): Config<MyConfig>`"),
];

/// What to tell somebody who wrote `key`, which is no key.
pub(super) fn unknown(key: &str) -> String {
    if let Some((_, advice)) = ELSEWHERE.iter().find(|(name, _)| *name == key) {
        return format!("there is no key `{key}`: {advice}");
    }
    let legal: Vec<_> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
    let legal = legal.join(", ");
    match nearest(key, KEYS.iter().map(|key| key.name)) {
        Some(meant) => format!("there is no key `{key}`; did you mean `{meant}`?\nthe keys are {legal}"),
        None => format!("there is no key `{key}`; the keys are {legal}"),
    }
}

/// How `key` is written.
pub(super) fn example(key: &str) -> &'static str {
    KEYS.iter().find(|known| known.name == key).map_or("", |known| known.example)
}
