//! The runner under virtual time.

mod due;
mod rules;
mod seeds;
mod shown;
mod unfenced;
