//! YAML with positions: a tree whose every key and value knows where it stands, and problems that point there.
//!
//! Lives here: reading text into [`Node`]s, walking them key by key, putting
//! environment variables and files in their places, and saying what is wrong without showing a value.
//!
//! May not enter: what the keys mean. A configuration may hold secrets, so nothing here quotes a value.

mod entries;
mod node;
mod parse;
mod problem;
mod references;
mod suggest;
mod table;

pub(crate) use self::entries::entries;
pub(crate) use self::node::{At, Key, Node, Yaml};
pub(crate) use self::parse::parse;
pub(crate) use self::problem::{Place, Problem};
pub(crate) use self::references::{Kept, NotGiven, References, values_of_files};
pub(crate) use self::suggest::closest;
pub(crate) use self::table::{Sink, Table};
