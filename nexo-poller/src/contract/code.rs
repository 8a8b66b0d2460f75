//! The JSON-RPC codes of the protocol. No other file spells one: a test in the tree holds the sources to that.
//!
//! What the runner does about a code is [`ErrorClass::from_code`](super::ErrorClass::from_code).

/// It may work later.
pub const TRANSIENT: i64 = -32001;
/// It will not work again by itself.
pub const PERMANENT: i64 = -32002;
/// The body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The body is JSON, but no request.
pub const INVALID_REQUEST: i64 = -32600;
/// Nobody here knows the method, or serves the kind.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The method's parameters are wrong; of a tick: the job's config.
pub const INVALID_PARAMS: i64 = -32602;
/// Whoever was asked has failed, and says no more.
pub const INTERNAL_ERROR: i64 = -32603;
