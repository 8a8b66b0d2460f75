use std::cell::RefCell;
use std::future::Future;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic is written to stderr as its place alone: the daemon keeps stderr as a log, and a panic's message
/// may quote a config or a credential.
pub(super) fn hide_messages() {
    std::panic::set_hook(Box::new(|info| {
        remember(info);
        // Nobody is left to tell when stderr is gone.
        let _ =
            writeln!(std::io::stderr(), "panicked at {} (its message is hidden here; `once` shows it)", place_of(info));
    }));
}

/// From now on a panic's place is remembered for [`catch`], and its message is shown as usual: the author looks on.
pub(super) fn show_messages() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        remember(info);
        usual(info);
    }));
}

/// Runs `work`; a panic in it becomes the place where it happened, where a hook of this module is set.
pub(super) async fn catch<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        // The hook ran on this very thread, in this very poll.
        Err(_) => Poll::Ready(Err(Panicked { place: PLACE.take() })),
    })
    .await
}

/// A panic, without its message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Panicked {
    place: Option<String>,
}

impl std::fmt::Display for Panicked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Some(place) => write!(f, "panicked at {place}"),
            None => f.write_str("panicked"),
        }
    }
}

fn remember(info: &PanicHookInfo<'_>) {
    let place = place_of(info);
    // A panic while the thread's own values are torn down has no tick to report to.
    let _ = PLACE.try_with(|slot| slot.replace(Some(place)));
}

fn place_of(info: &PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()))
}
