//! What stands in an entry of `plugins` that says more than a path.

use serde_json::json;

use super::shape::{Free, Required, Text};
use super::{Entry, Key};

pub(crate) static PATH: Key<Required<Text>> =
    Key { name: "path", shape: Required(Text::ANY), says: "A plugin's binary, or a directory with plugins." };

pub(crate) static ENV: Key<Free> = Key {
    name: "env",
    shape: Free(|| json!({ "type": "object", "additionalProperties": { "type": "string" } })),
    says: "Variables for their processes, which see little else of the daemon's environment. Logs do not show their values.",
};

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[&PATH, &ENV];
