//! What needs neither a process nor a server of its own: the source's own rules, what is on the wire, the broker, the models.

mod architecture;
mod circles;
#[cfg(feature = "llm")]
mod llm;
mod local_broker;
mod protocol_page;
#[cfg(feature = "router")]
mod readable_events;
mod wire_vectors;
