use std::time::Duration;

use tokio::sync::Semaphore;

/// The longest that a reload, or the start, waits for files. A file system that does not answer would hold it for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Readings that may hang at once: each holds a thread until its file system answers, if it ever does.
static PLACES: Semaphore = Semaphore::const_new(8);

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRead {
    #[error(
        "reading {what} did not end within {} s: does the file system that it is on answer? (`ls` there shows it)",
        after.as_secs()
    )]
    Hangs { what: &'static str, after: Duration },
    /// Whoever read has panicked.
    #[error("reading {what} ended without a result")]
    Ended { what: &'static str },
}

/// Does `work`, which reads files, on a thread that may wait for them: nothing that the daemon does hangs together with a file
/// system. `what` names it in errors.
///
/// # Errors
/// [`NotRead`] where the work is not done in time. It goes on, and its result is thrown away.
pub(crate) async fn off_runtime<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotRead> {
    within(PATIENCE, what, work).await
}

/// As [`off_runtime`], for work that may take as long as `limit`.
///
/// # Errors
/// As [`off_runtime`].
pub(crate) async fn within<T: Send + 'static>(
    limit: Duration,
    what: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotRead> {
    let done = async {
        let Ok(place) = PLACES.acquire().await else { return Err(NotRead::Ended { what }) };
        let work = move || {
            // Kept for as long as the work takes, also where nobody waits for it any more.
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| NotRead::Ended { what })
    };
    tokio::time::timeout(limit, done).await.unwrap_or(Err(NotRead::Hangs { what, after: limit }))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_given_up_and_holds_one_of_few_places() {
        let mut hanging = Vec::new();
        for _ in 0..8 {
            let (end, ended) = channel::<()>();
            let said = within(Duration::from_millis(20), "the file", move || ended.recv()).await.unwrap_err();
            assert!(said.to_string().starts_with("reading the file did not end within"), "{said}");
            hanging.push(end);
        }
        let said = within(Duration::from_millis(20), "the file", || 7).await.unwrap_err();
        assert!(matches!(said, NotRead::Hangs { .. }), "all places are taken: {said}");
        drop(hanging);
        assert_eq!(within(PATIENCE, "the file", || 7).await.unwrap(), 7, "what hung has ended");
    }
}
