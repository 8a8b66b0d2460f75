//! The daemon as a whole: a real process, real plugins, a real file, real sockets.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

mod admin;
mod answer_headers;
mod backup;
mod blocking;
mod boot;
mod browser;
mod check;
mod config_file;
mod container;
mod copies;
mod crowd;
mod doctor;
mod event_stream;
mod guide;
mod hang_up;
mod home;
mod host_services;
mod impostor;
mod job_ids;
mod line;
mod many;
mod monitoring;
mod nats;
mod openapi;
mod operate;
#[cfg(feature = "otel")]
mod otel;
mod outside;
mod page;
mod permissions;
mod plugin_environment;
mod protocol;
mod recorder;
mod rights;
mod secrets;
mod systemd;
