//! A panic of an author's code, without its words: they may quote a config or a credential.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Once, OnceLock};
use std::task::Poll;

/// A panic that was caught. What is shown of it is the place where it happened, where that is known.
pub struct Panicked {
    place: Option<String>,
    payload: Box<dyn Any + Send>,
}

impl Panicked {
    /// What the code panicked with, to let it go on in front of the author.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "panicked at {place}"),
            None => f.write_str("panicked"),
        }
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked").field("place", &self.place).finish_non_exhaustive()
    }
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether this thread runs an author's code right now.
    static IN_TICK: Cell<bool> = const { Cell::new(false) };
}

/// Whose messages are hidden: [`SHOWN`], [`OF_TICKS`] or [`ALL`].
static HIDDEN: AtomicU8 = AtomicU8::new(SHOWN);
const SHOWN: u8 = 0;
const OF_TICKS: u8 = 1;
const ALL: u8 = 2;

/// How a line is said where stderr itself must not be waited for.
static SAY: OnceLock<fn(&str)> = OnceLock::new();

/// From now on every panic of this process is written to stderr as its place alone: in a plugin all code is the author's,
/// tasks that a tick spawned included, and the daemon keeps stderr as a log.
pub fn hide_messages() {
    install();
    HIDDEN.store(ALL, Ordering::Relaxed);
}

/// From now on of a panic of an author's code its place alone is said, by `say`; one of the program's own is shown as usual.
pub fn hide_messages_of_ticks(say: fn(&str)) {
    install();
    let _ = SAY.set(say);
    HIDDEN.store(OF_TICKS, Ordering::Relaxed);
}

/// Runs `work`; a panic in it becomes the place where it happened.
pub(super) async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    install();
    let mut work = pin!(work);
    // A future that panicked is not polled again.
    std::future::poll_fn(|cx| match caught(|| work.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

/// As for a tick, for code of an author that returns at once: the check of a config.
///
/// # Errors
/// [`Panicked`] with the place alone.
pub fn catch_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    install();
    caught(work)
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    /// Back to what it was: a simulation runs a tick within a tick.
    struct Inside(bool);
    impl Drop for Inside {
        fn drop(&mut self) {
            IN_TICK.set(self.0);
        }
    }
    let _inside = Inside(IN_TICK.replace(true));
    // The hook runs on this very thread, before the stack is unwound.
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Panicked { place: PLACE.take(), payload })
}

/// Only a hook learns where a panic happened, so one is put around whatever hook the process has, once.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let place = place_of(info);
            // Nobody is left to tell when stderr is gone.
            let _ = match HIDDEN.load(Ordering::Relaxed) {
                ALL => writeln!(std::io::stderr(), "panicked at {place} (its message is hidden here; `once` shows it)"),
                OF_TICKS if IN_TICK.try_with(Cell::get).unwrap_or(false) => {
                    let line = format!("panicked at {place} (its message is hidden: it may quote a secret)");
                    match SAY.get() {
                        Some(say) => {
                            say(&line);
                            Ok(())
                        }
                        None => writeln!(std::io::stderr(), "{line}"),
                    }
                }
                _ => {
                    usual(info);
                    Ok(())
                }
            };
            // A panic while the thread's own values are torn down has no tick to report to.
            let _ = PLACE.try_with(|slot| slot.replace(Some(place)));
        }));
    });
}

fn place_of(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()))
}
