#![doc = include_str!("../README.md")]

mod account;
mod token;

pub use self::account::Account;
pub use self::token::{AccessToken, access_token};

#[cfg(test)]
mod tests;
