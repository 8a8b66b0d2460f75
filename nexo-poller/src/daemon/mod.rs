//! The daemon: `pollers.yaml`, the command line, the admin HTTP server, and the wiring of all other rooms.
//!
//! Lives here: what makes one program of the parts. May not enter: decisions about schedules (runner), processes (router)
//! or messages (broker). This room may import every other one, and no other room imports it.

pub mod file;
mod yaml;
