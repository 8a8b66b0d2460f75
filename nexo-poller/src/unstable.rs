//! What our daemon and testkit need of the inside. It may change with any release, and promises no stability.

pub use crate::broker::stdio::frame::{DEFAULT_MAX_LINE, FrameError, LineFramer};
pub use crate::broker::stdio::rpc::{Frame, FrameKind};
pub use crate::contract::secret_names::names_a_secret;
#[cfg(feature = "router")]
pub use crate::router::outsider::Outsider;
#[cfg(feature = "router")]
pub use crate::router::regular_file::{must_be_regular, open_regular_file, read_opened, read_regular_file};
#[cfg(feature = "runner")]
pub use crate::store::batch::{
    Answers, Batch, Claim, ClaimAnswer, Commit, Edit, NewJob, Release, Renew, StoredJob, WriteAnswer,
};
pub use crate::tick::{
    AuthorTick, Panicked, PublishList, TickGate, catch_now, hide_messages, hide_messages_of_ticks, watch,
};
#[cfg(any(feature = "builtins", feature = "llm"))]
pub use crate::tls::{choose_cryptography, why_no_client};

/// What a run's end means, and when a job runs next: the decisions alone, without engine and store.
#[cfg(feature = "runner")]
pub mod policy {
    pub use crate::runner::policy::*;
}

/// The suites that check the rules of a trait, for implementations of your own.
pub mod conformance {
    /// What every [`Broker`](crate::broker::Broker) must keep.
    pub mod broker {
        pub use crate::broker::conformance::*;
    }
    /// What every [`StateStore`](crate::store::StateStore) must keep.
    #[cfg(feature = "runner")]
    pub mod store {
        pub use crate::store::conformance::*;
    }
}
