#![doc = include_str!("../README.md")]

mod account;
mod client;
mod token;

pub use self::account::Account;
pub use self::client::{Answer, Google, Http, address};
pub use self::token::{AccessToken, access_token};

#[cfg(test)]
mod tests;
