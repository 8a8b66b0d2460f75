//! The broker of many machines: an existing NATS server.
//!
//! Every message is the envelope of the protocol. A request also carries its `reply_to` as NATS's own reply subject, and
//! a request of any client that is no envelope at all is taken as the body itself.

mod address;
mod client;
mod inbox;
mod link;
mod options;
mod publish;
mod receive;

pub use self::client::NatsBroker;
pub use self::options::NatsOptions;
pub(super) use self::receive::next_delivery;
