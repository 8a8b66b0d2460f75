//! Several daemons that share one set of jobs.
//!
//! Lives here: connecting to the broker of many machines, and knowing which other daemons are there.
//!
//! May not enter: which job runs where; that is the runner's.

pub(crate) mod many_machines;
pub(crate) mod membership;
