//! Every decision about a job, as pure functions: `(job, state, what happened, now, random) → (new state, effects)`.
//!
//! The engine, the simulations and the property tests share these functions and nothing else decides: when a run is due
//! ([`fire`]), what its outcome means ([`finish`]), what an operator or a reload changes ([`edit`]). No clock is read
//! here, no store, no random source.

mod edit;
mod finish;
mod fire;
mod message;
mod retry;
mod rule;
mod slots;
#[cfg(test)]
mod tests;

pub use self::edit::{Change, adopt, edit};
pub use self::finish::{Finished, Outcome, Run, finish};
pub use self::fire::{Fire, fire, manual_key};
pub(crate) use self::message::{message_of, shorten};
pub(crate) use self::rule::CLOCKS_DIFFER;
pub use self::rule::{JobRule, Rules, seed_of};
