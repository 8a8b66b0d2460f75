use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// What takes longer says so.
const AT_FIRST: Duration = Duration::from_secs(2);

/// Waits for `work`. Where that takes long and somebody looks at a terminal, `what` is said there, with how long it has been.
pub(super) async fn wait_for<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let shown = io::stderr().is_terminal();
    let began = Instant::now();
    let mut pause = AT_FIRST;
    loop {
        tokio::select! {
            done = &mut work => {
                if shown && pause != AT_FIRST {
                    let _ = write!(io::stderr(), "\r\x1b[K");
                }
                return done;
            }
            () = tokio::time::sleep(pause), if shown => {
                let _ = write!(io::stderr(), "\r{what}: {} s, Ctrl-C leaves it to itself\x1b[K", began.elapsed().as_secs());
                pause = Duration::from_secs(1);
            }
        }
    }
}
