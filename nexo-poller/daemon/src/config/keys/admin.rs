//! What stands under `admin`.

use super::shape::{Flag, Mapping, Or, Required, Text, Texts};
use super::{Entry, Key};

pub(crate) static BIND: Key<Or<Text, &str>> = Key {
    name: "bind",
    shape: Or { shape: Text::ANY, default: "127.0.0.1:9091" },
    says: "The admin API's address and port; port 0 picks a free one.",
};

pub(crate) static TOKEN_FILE: Key<Text> = Key {
    name: "token_file",
    shape: Text::ANY,
    says: "What callers from other machines must show; else the variable NEXO_POLLER_ADMIN_TOKEN says it.",
};

pub(crate) static TLS: Key<Mapping> = Key {
    name: "tls",
    shape: Mapping { keys: TLS_KEYS, or_text: false },
    says: "The certificate that callers from other machines are shown.",
};

pub(crate) static PLAIN_HTTP: Key<Or<Flag, bool>> =
    Key { name: "plain_http", shape: Or { shape: Flag, default: false }, says: "Let other machines in without TLS." };

pub(crate) static NAMES: Key<Texts> =
    Key { name: "names", shape: Texts, says: "Host names that callers from other machines use." };

/// All of them, in the order in which they are read.
pub(crate) static KEYS: &[&dyn Entry] = &[&BIND, &TOKEN_FILE, &TLS, &PLAIN_HTTP, &NAMES];

/// `tls.cert`.
pub(crate) static CERT: Key<Required<Text>> = Key {
    name: "cert",
    shape: Required(Text::ANY),
    says: "A PEM file with the certificate, and what it was signed by.",
};

/// `tls.key`.
pub(crate) static KEY: Key<Required<Text>> =
    Key { name: "key", shape: Required(Text::ANY), says: "A PEM file with its private key, its owner's only." };

pub(crate) static TLS_KEYS: &[&dyn Entry] = &[&CERT, &KEY];
