//! Driving one job by hand.
//!
//! Lives here: [`JobTest`], which stands where the runner stands: it validates the config, ticks, holds the deadline and
//! carries the cursor over.
//!
//! May not enter: schedules and retries. When a test needs those, it needs the real runner.

mod drive;
mod expect;
mod job_test;

pub use self::job_test::JobTest;
