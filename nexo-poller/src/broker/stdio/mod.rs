//! The stdio bridge: newline-delimited JSON-RPC 2.0 between a daemon and the plugin it spawned.
