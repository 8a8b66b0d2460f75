//! The mocked host.
//!
//! Lives here: [`MockPollerHost`], the scripts that it answers from, the faults it can be told to have, what it
//! recorded, and the assertions over that record.
//!
//! May not enter: running ticks; that is the [`job`](crate::job) room.

mod assertion;
mod call;
mod fault;
mod mock;
mod script;
mod tick;

pub use self::assertion::Selection;
pub use self::call::{LogLine, Method, MetricIncrement, Published};
pub use self::fault::Fault;
pub use self::mock::MockPollerHost;
