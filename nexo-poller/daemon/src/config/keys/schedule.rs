//! What stands under `schedule`: one of four forms.

use super::shape::{Text, Whole};
use super::{Entry, Key};

pub(crate) static EVERY_SECS: Key<Whole<u64>> =
    Key { name: "every_secs", shape: Whole { least: 1, most: 31_536_000 }, says: "Seconds from run to run." };

pub(crate) static EVERY: Key<Text> =
    Key { name: "every", shape: Text::ANY, says: "A length of time with its unit: 5m, 1h 30m." };

pub(crate) static CRON: Key<Text> =
    Key { name: "cron", shape: Text::ANY, says: "Six fields, seconds first; with five, seconds are 0." };

pub(crate) static TZ: Key<Text> = Key { name: "tz", shape: Text::ANY, says: "An IANA time zone; without it: UTC." };

pub(crate) static AT: Key<Text> =
    Key { name: "at", shape: Text::ANY, says: "An instant with its offset: 2026-04-26T15:00:00Z." };

pub(crate) static STAGGER_JITTER_MS: Key<Whole<u64>> = Key {
    name: "stagger_jitter_ms",
    shape: Whole { least: 0, most: 3_600_000 },
    says: "Starts up to this much later.",
};

/// A way to say when a job runs.
pub(crate) struct Form {
    /// The key that makes it this form.
    pub(crate) needs: &'static dyn Entry,
    /// Those that may stand beside it.
    pub(crate) takes: &'static [&'static dyn Entry],
    /// How it looks, for whoever has written something else.
    pub(crate) looks: &'static str,
}

pub(crate) static FORMS: [Form; 4] = [
    Form { needs: &EVERY_SECS, takes: &[&STAGGER_JITTER_MS], looks: "every_secs: 300" },
    Form { needs: &EVERY, takes: &[&STAGGER_JITTER_MS], looks: "every: 5m" },
    Form { needs: &CRON, takes: &[&TZ, &STAGGER_JITTER_MS], looks: "cron: \"0 */5 * * * *\"" },
    Form { needs: &AT, takes: &[], looks: "at: \"2026-04-26T15:00:00Z\"" },
];

/// `` `every_secs: 300`, … or `at: …` ``.
pub(crate) fn forms() -> String {
    let [first, second, third, last] = &FORMS;
    format!("`{}`, `{}`, `{}` or `{}`", first.looks, second.looks, third.looks, last.looks)
}
