//! What stands under `allow`, for each plugin.

use super::shape::Texts;
use super::{Entry, Key};

pub(crate) static PUBLISH: Key<Texts> =
    Key { name: "publish", shape: Texts, says: "Topics that it may publish on besides messages to channels." };

pub(crate) static SUBSCRIBE: Key<Texts> =
    Key { name: "subscribe", shape: Texts, says: "Topics that it may hear besides its ticks." };

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[&PUBLISH, &SUBSCRIBE];
