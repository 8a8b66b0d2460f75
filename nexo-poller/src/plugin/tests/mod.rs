//! The plugin side against an in-process broker, on a paused clock.

mod by_hand;
mod host;
mod probe;
mod serve;
mod ticks;
