//! A job driven by hand against the mocked host: what an author's first tests use, without any feature.

mod crash;
mod failures;
mod host;
mod job;
mod port;
