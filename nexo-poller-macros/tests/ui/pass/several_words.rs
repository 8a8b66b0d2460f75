use nexo_poller::prelude::*;

#[poller(kind = "google_calendar", main = false)]
async fn google_calendar() -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    assert_eq!(GoogleCalendar.kind(), "google_calendar");
}
