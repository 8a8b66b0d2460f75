//! A plugin as a real process, and what the daemon's side makes of it.

mod commands;
mod ephemeral;
#[cfg(feature = "router")]
mod faults;
#[cfg(feature = "router")]
mod hostile;
mod stdio;
