//! The runner under virtual time.

mod rules;
mod seeds;
mod shown;
mod unfenced;
