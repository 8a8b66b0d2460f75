use std::fmt;

/// Where in a tick the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// The run is claimed, the poller is not called yet.
    BeforeTick,
    /// The host has taken the `n`th message of the tick, counted from one; the poller never hears of it.
    AfterPublish(usize),
    /// The tick has returned; its cursor is not durable yet.
    BeforeCommit,
    /// The tick's cursor is durable; nothing comes after it.
    AfterCommit,
}

/// `after publish 2`: how a report names it.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeTick => f.write_str("before the tick"),
            Self::AfterPublish(number) => write!(f, "after publish {number}"),
            Self::BeforeCommit => f.write_str("before the commit"),
            Self::AfterCommit => f.write_str("after the commit"),
        }
    }
}
