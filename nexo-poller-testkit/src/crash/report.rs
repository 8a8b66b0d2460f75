use std::fmt;

use super::Point;
use crate::Published;

/// What a crash, and the resume after it, did to the messages of a job.
///
/// ```text
/// crash after publish 2, resumed without a cursor
///   1. plugin.outbound.console.console  {"text":"1","to":"me"}  repeated with the same id
///   2. plugin.outbound.console.console  {"text":"2","to":"me"}  repeated with the same id
///   3. plugin.outbound.console.console  {"text":"3","to":"me"}
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CrashReport {
    /// Where the tick died.
    pub point: Point,
    /// The cursor that was durable at the crash; the job was resumed from it.
    pub resumed_from: Option<Vec<u8>>,
    /// Every message of the run, each content once, in the order of its first copy.
    pub deliveries: Vec<Delivery>,
}

/// One message, however often it was published.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Delivery {
    /// The first copy.
    pub message: Published,
    /// How often it was published with this id, once at least.
    pub copies: usize,
}

impl CrashReport {
    pub(super) fn new(point: Point, resumed_from: Option<Vec<u8>>, published: Vec<Published>) -> Self {
        let mut deliveries: Vec<Delivery> = Vec::new();
        for message in published {
            match deliveries.iter_mut().find(|known| known.message.id == message.id) {
                Some(known) => known.copies += 1,
                None => deliveries.push(Delivery { message, copies: 1 }),
            }
        }
        Self { point, resumed_from, deliveries }
    }

    /// The messages that were published more than once, each time with the same id, so that downstream can drop the
    /// copies.
    #[must_use]
    pub fn repeated(&self) -> Vec<&Published> {
        self.deliveries.iter().filter(|delivery| delivery.copies > 1).map(|delivery| &delivery.message).collect()
    }
}

/// `from the cursor 3` or `without a cursor`: where a job resumes.
pub(super) fn resumed(cursor: Option<&[u8]>) -> String {
    cursor
        .map_or("without a cursor".to_owned(), |cursor| format!("from the cursor {}", String::from_utf8_lossy(cursor)))
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash {}, resumed {}", self.point, resumed(self.resumed_from.as_deref()))?;
        if self.deliveries.is_empty() {
            write!(f, "\n  nothing was published")?;
        }
        for (number, delivery) in self.deliveries.iter().enumerate() {
            write!(f, "\n  {}. {}", number + 1, delivery.message)?;
            match delivery.copies {
                1 => {}
                2 => write!(f, "  repeated with the same id")?,
                copies => write!(f, "  published {copies} times with the same id")?,
            }
        }
        Ok(())
    }
}
