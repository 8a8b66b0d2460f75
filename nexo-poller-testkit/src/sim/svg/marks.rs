//! What a tick looks like.

use crate::sim::history::{Cause, End, Run};

pub(super) const OK: &str = "#2e9e6b";
pub(super) const MENDED: &str = "#2b6cb0";
pub(super) const TRANSIENT: &str = "#e08a1e";
pub(super) const PERMANENT: &str = "#c53030";
pub(super) const TROUBLE: &str = "#fde3c8";
pub(super) const DOWN: &str = "#d5d9e0";

/// How a tick is drawn; of many at one place the worst is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    OnTime,
    Mended,
    Failed,
    Ended,
}

impl Mark {
    pub(super) fn of(run: &Run) -> Self {
        match (run.end, run.cause) {
            (End::Ok | End::Running, Cause::OnTime | Cause::Asked | Cause::ByHand) => Self::OnTime,
            (End::Ok | End::Running, _) => Self::Mended,
            (End::Transient, _) => Self::Failed,
            _ => Self::Ended,
        }
    }

    pub(super) fn color(self) -> &'static str {
        match self {
            Self::OnTime => OK,
            Self::Mended => MENDED,
            Self::Failed => TRANSIENT,
            Self::Ended => PERMANENT,
        }
    }
}
