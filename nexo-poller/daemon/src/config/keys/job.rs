//! What stands in an item of `jobs`.

use nexo_poller::runner::CatchUp;
use serde_json::json;

use super::shape::{Flag, Free, Mapping, Or, Required, Text, Word};
use super::{Entry, Key};

pub(crate) static ID: Key<Required<Text>> = Key {
    name: "id",
    // What it begins with is judged where it is read.
    shape: Required(Text { pattern: Some(r"^(?!-|\.{1,2}$)\S+$"), ..Text::NAME }),
    says: "Unique; a job keeps its cursor under this name.",
};

pub(crate) static KIND: Key<Required<Text>> =
    Key { name: "kind", shape: Required(Text::ANY), says: "What a plugin, or the daemon itself, offers." };

pub(crate) static AGENT: Key<Required<Text>> =
    Key { name: "agent", shape: Required(Text::NAME), says: "In whose name credentials are resolved." };

pub(crate) static SCHEDULE: Key<Required<Free>> =
    Key { name: "schedule", shape: Required(Free(|| json!({ "$ref": "#/$defs/schedule" }))), says: "When it runs." };

pub(crate) static CONFIG: Key<Free> =
    Key { name: "config", shape: Free(|| json!({ "type": "object" })), says: "The kind's own keys." };

pub(crate) static FAILURE_TO: Key<Mapping> = Key {
    name: "failure_to",
    shape: Mapping { keys: FAILURE_TO_KEYS, or_text: false },
    says: "Who gets a message when the job stops working.",
};

pub(crate) static PAUSED_ON_BOOT: Key<Or<Flag, bool>> = Key {
    name: "paused_on_boot",
    shape: Or { shape: Flag, default: false },
    says: "Waits for `nexo-poller resume` after each start of the daemon; where daemons share the jobs, after it was added.",
};

pub(crate) static CATCH_UP: Key<Word<CatchUp>> = Key {
    name: "catch_up",
    shape: Word { words: &[("once", CatchUp::Once), ("skip", CatchUp::Skip), ("all", CatchUp::All)], default: 0 },
    says: "What happens to runs that were missed while the daemon was down.",
};

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] =
    &[&ID, &KIND, &AGENT, &SCHEDULE, &CONFIG, &FAILURE_TO, &PAUSED_ON_BOOT, &CATCH_UP];

/// `failure_to.channel`.
pub(crate) static CHANNEL: Key<Required<Text>> =
    Key { name: "channel", shape: Required(Text::NAME), says: "One of the agent's channels." };

/// `failure_to.to`.
pub(crate) static TO: Key<Required<Text>> =
    Key { name: "to", shape: Required(Text::ANY), says: "The recipient on that channel." };

pub(crate) static FAILURE_TO_KEYS: &[&dyn Entry] = &[&CHANNEL, &TO];
