//! Test a nexo poller without a daemon, a network or a clock.
