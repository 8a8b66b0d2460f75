use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_nats::Event;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::broker::BrokerError;

/// Refusals of the server that nobody has asked about are forgotten beyond this many.
const REFUSALS: usize = 64;

/// What is said of a slow subscription is said at most this often.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Whether the server can be reached, as the client's events tell.
#[derive(Debug)]
pub(super) struct Link {
    servers: String,
    state: watch::Sender<State>,
    /// The connection was lost before.
    lost: AtomicBool,
    /// What the server has refused of late, in its own words.
    refusals: Mutex<VecDeque<String>>,
    slow: AtomicU64,
    slow_said: Mutex<Option<Instant>>,
}

/// A connection that came back longer ago than this has whoever asked on it.
const SETTLED: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up(Instant),
    Down(Instant),
    Closed,
}

impl Link {
    pub(super) fn new(servers: String) -> Self {
        let state = watch::Sender::new(State::Down(Instant::now()));
        let lost = AtomicBool::new(false);
        Self { servers, state, lost, refusals: Mutex::default(), slow: AtomicU64::new(0), slow_said: Mutex::default() }
    }

    /// Learns from an event of the client.
    pub(super) fn learn(&self, event: &Event) {
        match event {
            Event::Connected => {
                let before = self.state.send_replace(State::Up(Instant::now()));
                if let State::Down(since) = before {
                    let away_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                    tracing::info!(servers = self.servers, away_ms, "connected to NATS");
                }
            }
            Event::Disconnected => {
                self.lost.store(true, Ordering::Relaxed);
                self.state.send_replace(State::Down(Instant::now()));
                tracing::warn!(servers = self.servers, "the connection to NATS is lost; it is tried again and again");
            }
            Event::Closed => {
                self.state.send_replace(State::Closed);
            }
            Event::SlowConsumer(_) => self.slow_consumer(),
            Event::ServerError(error) => {
                let said = error.to_string();
                tracing::warn!(servers = self.servers, "NATS: {said}");
                let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
                if refusals.len() == REFUSALS {
                    refusals.pop_front();
                }
                refusals.push_back(said);
            }
            Event::ClientError(error) => tracing::debug!(servers = self.servers, %error, "NATS client"),
            Event::LameDuckMode | Event::Draining => tracing::info!(servers = self.servers, "NATS: {event}"),
        }
    }

    /// Messages are lost one by one; what is said of it is not.
    fn slow_consumer(&self) {
        let lost = self.slow.fetch_add(1, Ordering::Relaxed) + 1;
        let mut said = self.slow_said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
            *said = Some(Instant::now());
            tracing::warn!(lost, "NATS messages are dropped: this process does not keep up");
        }
    }

    /// Messages that were dropped because this process did not keep up.
    pub(super) fn dropped(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// Whether those who asked over an earlier connection have had the time to come back as well: always, where this is
    /// the first one.
    pub(super) fn is_settled(&self) -> bool {
        let lost = self.lost.load(Ordering::Relaxed);
        self.up_since().is_some_and(|since| !lost || since.elapsed() > SETTLED)
    }

    /// Since when the server can be reached.
    pub(super) fn up_since(&self) -> Option<Instant> {
        match *self.state.borrow() {
            State::Up(since) => Some(since),
            State::Down(_) | State::Closed => None,
        }
    }

    /// Waits until the server can be reached, for `reconnect_timeout` at most.
    pub(super) async fn up(&self, reconnect_timeout: Duration) -> Result<(), BrokerError> {
        if self.up_since().is_some() {
            return Ok(());
        }
        let mut state = self.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Down(_)));
        match tokio::time::timeout(reconnect_timeout, settled).await {
            Ok(Ok(state)) if matches!(*state, State::Up(_)) => Ok(()),
            Ok(_) => Err(BrokerError::Closed { reason: format!("the connection to {} was closed", self.servers) }),
            Err(_) => Err(self.lost()),
        }
    }

    /// The error that stands for a server that cannot be reached.
    pub(super) fn lost(&self) -> BrokerError {
        let since = match *self.state.borrow() {
            State::Down(since) => format!(" since {} s", since.elapsed().as_secs()),
            State::Up(_) | State::Closed => String::new(),
        };
        let reason = format!("the NATS server at {} cannot be reached{since}; is it running?", self.servers);
        BrokerError::Closed { reason }
    }

    /// Whether the server has refused something that concerns `topic` of late; asked once, it is forgotten.
    pub(super) fn take_refusal(&self, topic: &str) -> Option<String> {
        let quoted = format!("\"{topic}\"");
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let at = refusals.iter().position(|said| said.to_lowercase().contains(&quoted.to_lowercase()))?;
        refusals.remove(at)
    }
}
