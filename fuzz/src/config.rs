//! The daemon is a program, which nobody can depend on: its reader of YAML, which knows nothing of the rest, is compiled here as well.

#[path = "../../nexo-poller/daemon/src/config/yaml/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the daemon uses more of it")]
pub(crate) mod yaml;
