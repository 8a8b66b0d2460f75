use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lines on their way into a pipe whose reader may not read: a thread of their own waits for it, and nobody else has to. What
/// waits is bounded in bytes; where there is no room, a line is dropped or held back, as its writer chooses.
#[derive(Clone)]
pub(crate) struct PipeWriter {
    shared: Arc<Shared>,
    lines: Sender<Line>,
}

struct Shared {
    capacity: u32,
    /// A permit for each byte that may still come.
    room: Arc<Semaphore>,
    /// When the reader last took something, or was first given something to take.
    moved: Mutex<Instant>,
    dropped: AtomicU64,
    /// Those of them that were not told of yet.
    untold: AtomicU64,
}

struct Line {
    bytes: Vec<u8>,
    /// Comes back once the reader has it.
    _room: OwnedSemaphorePermit,
}

/// The reader has taken nothing for a while.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads it")]
pub(crate) struct Stuck;

impl PipeWriter {
    /// Writes into `pipe`, which at most `capacity` bytes wait for. `tell` is called on the thread that writes, with the number
    /// of lines that were dropped since the last time, once there is room again.
    ///
    /// # Errors
    /// Where there can be no thread.
    pub(crate) fn start(pipe: File, capacity: u32, tell: fn(u64)) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            capacity,
            room: Arc::new(Semaphore::new(capacity as usize)),
            moved: Mutex::new(Instant::now()),
            dropped: AtomicU64::new(0),
            untold: AtomicU64::new(0),
        });
        let (lines, waiting) = channel();
        let writing = Arc::clone(&shared);
        std::thread::Builder::new().name("pipe".to_owned()).spawn(move || writing.run(pipe, &waiting, tell))?;
        Ok(Self { shared, lines })
    }

    /// Hands over `bytes`, or drops and counts them.
    pub(crate) fn write_or_drop(&self, bytes: Vec<u8>) {
        let room = Arc::clone(&self.shared.room).try_acquire_many_owned(self.shared.cost(&bytes));
        match room {
            Ok(room) => self.hand_over(bytes, room),
            Err(_) => {
                self.shared.dropped.fetch_add(1, Ordering::Relaxed);
                self.shared.untold.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Hands over `bytes` once there is room. Nothing is written where this is given up before.
    ///
    /// # Errors
    /// [`Stuck`] where the reader takes nothing for as long as `limit`.
    pub(crate) async fn write(&self, bytes: Vec<u8>, limit: Duration) -> Result<(), Stuck> {
        let mut room = std::pin::pin!(Arc::clone(&self.shared.room).acquire_many_owned(self.shared.cost(&bytes)));
        loop {
            let deadline = self.shared.moved() + limit;
            match tokio::time::timeout_at(deadline.into(), &mut room).await {
                Ok(Ok(room)) => {
                    self.hand_over(bytes, room);
                    return Ok(());
                }
                Ok(Err(_)) => return Err(Stuck),
                Err(_) if self.shared.moved() + limit <= Instant::now() => return Err(Stuck),
                // It moves, if slowly.
                Err(_) => {}
            }
        }
    }

    /// Waits until everything was taken, for as long as `limit`.
    pub(crate) async fn flushed(&self, limit: Duration) {
        let _ = tokio::time::timeout(limit, self.shared.room.acquire_many(self.shared.capacity)).await;
    }

    /// How many lines were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn hand_over(&self, bytes: Vec<u8>, room: OwnedSemaphorePermit) {
        if self.shared.room.available_permits() + room.num_permits() == self.shared.capacity as usize {
            self.shared.has_moved();
        }
        // The thread lives as long as somebody can send.
        let _ = self.lines.send(Line { bytes, _room: room });
    }
}

impl Shared {
    fn run(&self, mut pipe: File, lines: &Receiver<Line>, tell: fn(u64)) {
        for line in lines {
            if write_all(&mut pipe, &line.bytes).is_err() {
                // Whoever read has gone; there is nobody to tell.
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            self.has_moved();
            drop(line);
            if self.room.available_permits() >= self.capacity as usize / 2 {
                match self.untold.swap(0, Ordering::Relaxed) {
                    0 => {}
                    count => tell(count),
                }
            }
        }
    }

    fn cost(&self, bytes: &[u8]) -> u32 {
        u32::try_from(bytes.len()).unwrap_or(u32::MAX).clamp(1, self.capacity)
    }

    fn moved(&self) -> Instant {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_moved(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A pipe may have been made non-blocking by whoever shares it: then it is waited for.
fn write_all(pipe: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match pipe.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll(&mut [PollFd::new(&*pipe, PollFlags::OUT)], None)?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read as _, pipe};
    use std::os::fd::OwnedFd;

    use super::*;

    /// Nobody reads it yet, and it is full.
    fn full_pipe() -> (PipeReader, File) {
        let (reader, writer) = pipe().unwrap();
        let mut writer = File::from(OwnedFd::from(writer));
        let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
        rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).unwrap();
        while writer.write(&[b'.'; 4096]).is_ok() {}
        while writer.write(b".").is_ok() {}
        rustix::fs::fcntl_setfl(&writer, flags).unwrap();
        (reader, writer)
    }

    fn rest(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text.trim_start_matches('.').to_owned()
        })
    }

    #[tokio::test]
    async fn lines_that_nobody_reads_are_dropped_and_counted_and_told_of_once_somebody_does() {
        static TOLD: AtomicU64 = AtomicU64::new(0);
        let (reader, pipe) = full_pipe();
        let writer = PipeWriter::start(pipe, 100, |count| TOLD.store(count, Ordering::Relaxed)).unwrap();
        for line in 0..30 {
            writer.write_or_drop(format!("line {line:04}\n").into_bytes());
        }
        assert_eq!(writer.dropped(), 20, "ten lines of ten bytes have room");
        let read = rest(reader);
        writer.flushed(Duration::from_secs(10)).await;
        writer.write_or_drop(b"after\n".to_vec());
        drop(writer);
        let text = read.join().unwrap();
        assert_eq!((text.lines().count(), text.lines().last()), (11, Some("after")), "{text}");
        assert_eq!(TOLD.load(Ordering::Relaxed), 20);
    }

    #[tokio::test]
    async fn a_line_is_held_back_until_there_is_room_and_given_up_where_nobody_reads() {
        let (reader, pipe) = full_pipe();
        let writer = PipeWriter::start(pipe, 10, |_| {}).unwrap();
        let limit = Duration::from_millis(50);
        writer.write(b"first one\n".to_vec(), limit).await.unwrap();
        assert!(writer.write(b"second\n".to_vec(), limit).await.is_err());
        let began = Instant::now();
        writer.flushed(limit).await;
        assert!(began.elapsed() >= limit, "nobody has read");
        let third = {
            let writer = writer.clone();
            tokio::spawn(async move { writer.write(b"third\n".to_vec(), Duration::from_secs(10)).await })
        };
        let read = rest(reader);
        third.await.unwrap().unwrap();
        drop(writer);
        assert_eq!(read.join().unwrap(), "first one\nthird\n");
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_and_a_line_without_end_hold_nobody_up() {
        let (reader, pipe) = full_pipe();
        let writer = PipeWriter::start(pipe, 10, |_| {}).unwrap();
        drop(reader);
        for _ in 0..3 {
            writer.write(vec![b'x'; 1000], Duration::from_secs(10)).await.unwrap();
        }
        writer.flushed(Duration::from_secs(10)).await;
        assert_eq!(writer.dropped(), 3);
    }
}
