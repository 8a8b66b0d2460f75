use std::panic::Location;

use nexo_poller::contract::{ErrorClass, PollerError, TickAck};

use super::JobTest;

impl JobTest {
    /// One tick that succeeds.
    ///
    /// # Panics
    /// Where it fails, with its error.
    #[track_caller]
    pub fn tick(&mut self) -> impl Future<Output = TickAck> + '_ {
        // An async fn would report a line of this file, not the test's.
        let caller = Location::caller();
        async move {
            match self.try_tick().await {
                Ok(ack) => ack,
                Err(error) => self.unexpected("a tick that succeeds", Err(&error), caller),
            }
        }
    }

    /// One tick that fails so that it would be retried with backoff. The cursor stays.
    ///
    /// # Panics
    /// Where it succeeds, or fails otherwise.
    #[track_caller]
    pub fn tick_expect_transient(&mut self) -> impl Future<Output = PollerError> + '_ {
        self.tick_expect(ErrorClass::Transient, Location::caller())
    }

    /// One tick that fails so that the job would be paused until it is resumed or reset. The cursor stays.
    ///
    /// # Panics
    /// Where it succeeds, or fails otherwise.
    #[track_caller]
    pub fn tick_expect_permanent(&mut self) -> impl Future<Output = PollerError> + '_ {
        self.tick_expect(ErrorClass::Permanent, Location::caller())
    }

    /// A config that is refused, when the job is loaded or by the tick itself.
    ///
    /// # Panics
    /// Where the tick succeeds, or fails otherwise.
    #[track_caller]
    pub fn tick_expect_config(&mut self) -> impl Future<Output = PollerError> + '_ {
        self.tick_expect(ErrorClass::Config, Location::caller())
    }

    async fn tick_expect(&mut self, class: ErrorClass, caller: &Location<'_>) -> PollerError {
        let expected = format!("a {} error", class.as_str());
        match self.try_tick().await {
            Err(error) if error.class() == class => error,
            Err(error) => self.unexpected(&expected, Err(&error), caller),
            Ok(ack) => self.unexpected(&expected, Ok(&ack), caller),
        }
    }

    fn unexpected(&self, expected: &str, actual: Result<&TickAck, &PollerError>, caller: &Location<'_>) -> ! {
        let actual = match actual {
            Ok(ack) => format!("success, {}", describe(ack)),
            Err(error) => format!("a {} error: {error}", error.class().as_str()),
        };
        panic!(
            "\nexpected: {expected}\n  actual: {actual}\n     job: `{}`, tick of {}\n      at: {caller}\n",
            self.job_id,
            self.clock().now().to_rfc3339()
        )
    }
}

fn describe(ack: &TickAck) -> String {
    let items = ack.metrics.unwrap_or_default();
    let cursor = match ack.next_cursor.as_deref() {
        None => "cursor kept".to_owned(),
        Some([]) => "cursor reset".to_owned(),
        Some(next) => format!("next cursor {}", String::from_utf8_lossy(next)),
    };
    format!("{} items seen, {} dispatched, {cursor}", items.items_seen, items.items_dispatched)
}
