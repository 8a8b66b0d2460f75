//! One supervisor a plugin: starts its process, keeps it up, and ends it with everything that it has forked.

mod faults;
mod process;
mod rate;
mod restart;
mod run;
mod status;
mod stderr;

pub(super) use self::faults::FaultLog;
pub use self::process::ProcessGroup;
pub(super) use self::process::{PluginProcess, exit_sentence};
pub use self::restart::RestartPolicy;
pub use self::run::{Supervisor, SupervisorOptions};
pub use self::status::{PluginState, PluginStatus};
pub(super) use self::stderr::{StderrReader, StderrTail};
