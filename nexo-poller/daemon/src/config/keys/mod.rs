//! The keys of `pollers.yaml`, once: each with its name, type, range, default and sentence.
//!
//! Lives here: the table. The readers of the file, its JSON Schema, and the tests that hold the example file and the library's
//! own defaults to it all take what they need from here.
//!
//! May not enter: what is done with a value. A rule that ties several keys together belongs to whoever reads them.

pub(crate) mod admin;
pub(crate) mod allow;
pub(crate) mod broker;
pub(crate) mod include;
pub(crate) mod job;
mod key;
mod name;
pub(crate) mod plugin;
pub(crate) mod schedule;
pub(crate) mod settings;
mod shape;

pub(crate) use self::key::Key;
pub(crate) use self::name::RULE as NAME_RULE;
pub(crate) use self::shape::{Entry, Required, Text, mapping};

#[cfg(test)]
mod tests;
