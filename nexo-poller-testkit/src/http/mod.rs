//! The outside world over HTTP, recorded once and replayed ever after, so that tests need no account and no network.
//!
//! Lives here: [`Recording`], the [`HttpReplay`] server that answers from one, the [`HttpRecorder`] that makes one of a
//! real service, and what takes secrets out of it ([`Scrub`]). The server underneath is `httpmock`'s.
//!
//! May not enter: what a poller does with an answer.
//!
//! ```
//! use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};
//!
//! let server = HttpReplay::of(Recording::from([
//!     Exchange::get("/issues").json(&serde_json::json!({"issues": [], "next": null})),
//!     Exchange::get("/issues").status(429).header("retry-after", "30"),
//! ]));
//! let base_url = server.url("/"); // goes into the job's config
//! # assert!(base_url.starts_with("http://127.0.0.1:"));
//! ```
//!
//! The first request for `/issues` gets the first answer, the second and all that follow get the second. A request that is
//! not in the recording is answered with status 501 and a list of what is.

mod error;
mod recorder;
mod recording;
mod replay;
mod scrub;

pub use self::error::HttpError;
pub use self::recorder::HttpRecorder;
pub use self::recording::{Answer, Asked, Exchange, Recording};
pub use self::replay::HttpReplay;
pub(crate) use self::replay::dropped_server_in;
pub use self::scrub::Scrub;
