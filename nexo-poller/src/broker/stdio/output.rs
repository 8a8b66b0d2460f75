use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::broker::BrokerError;

/// The way to the daemon: lines wait in one buffer, and whoever writes takes all of them along.
#[derive(Clone)]
pub(super) struct Output(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    pipe: Mutex<Pipe>,
}

struct Pipe {
    writer: Box<dyn Write + Send>,
    /// Why nothing can be written any more.
    broken: Option<String>,
    /// The buffer that was written last, to be filled again.
    spare: Vec<u8>,
}

/// A buffer that one large message has blown up is not kept.
const KEPT_BUFFER: usize = 64 * 1024;

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Output")
    }
}

impl Output {
    pub(super) fn new(writer: Box<dyn Write + Send>) -> Self {
        let pipe = Pipe { writer, broken: None, spare: Vec::new() };
        Self(Arc::new(Shared { waiting: Mutex::default(), pipe: Mutex::new(pipe) }))
    }

    /// One line, whole, after everything that was added before.
    pub(super) fn write(&self, line: &[u8]) -> Result<(), BrokerError> {
        self.add(line);
        self.flush()
    }

    /// Adds a line to what the next [`flush`](Self::flush) writes.
    pub(super) fn add(&self, line: &[u8]) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
    }

    /// Returns once everything that was added before is written, by this thread or by another.
    pub(super) fn flush(&self) -> Result<(), BrokerError> {
        let mut pipe = self.0.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let spare = std::mem::take(&mut pipe.spare);
        let mut lines = std::mem::replace(&mut *self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner), spare);
        if !lines.is_empty() && pipe.broken.is_none() {
            let written = pipe.writer.write_all(&lines).and_then(|()| pipe.writer.flush());
            pipe.broken = written.err().map(|error| error.to_string());
        }
        if lines.capacity() <= KEPT_BUFFER {
            lines.clear();
            pipe.spare = lines;
        }
        match &pipe.broken {
            None => Ok(()),
            Some(error) => Err(BrokerError::Closed { reason: format!("the daemon reads no more: {error}") }),
        }
    }
}
