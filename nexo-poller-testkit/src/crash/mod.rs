//! A process that dies in the middle of a tick.
//!
//! Lives here: the [`Point`]s at which a tick can die, [`JobTest::crash_at`](crate::JobTest::crash_at), which lets one die
//! there, and [`CrashTest`], which resumes the job and compares what came out with a run that nobody disturbed.
//!
//! May not enter: schedules, and crashes of the runner itself; those are the simulation's.

mod crash_test;
mod crashed_tick;
mod dying_host;
mod point;
mod report;

pub use self::crash_test::CrashTest;
pub use self::crashed_tick::CrashedTick;
pub use self::point::Point;
pub use self::report::{CrashReport, Delivery};
