use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

/// The status line is looked at this often where no watchdog asks for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The service manager that has started the daemon and wants to hear how it is: systemd, or whatever else has set
/// `NOTIFY_SOCKET`. Without one, nothing here does anything.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    listens: bool,
    /// That it cannot be told was said already.
    deaf: AtomicBool,
    /// How often it must hear that the daemon lives.
    watchdog: Option<Duration>,
}

/// Says that a reload is over when it is dropped, however it has ended.
#[derive(Debug)]
pub(crate) struct Reloading<'a>(&'a ServiceManager);

impl ServiceManager {
    /// What the environment says.
    pub(crate) fn of_environment() -> Self {
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some_and(|socket| !socket.is_empty());
        // A service manager lets half the time pass before it worries; so do we.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|half| !half.is_zero());
        Self { listens, deaf: AtomicBool::new(false), watchdog }
    }

    /// The daemon does its work from now on.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// A reload has begun; it ends when what is returned is dropped.
    pub(crate) fn reloading(&self) -> Reloading<'_> {
        // `Type=notify-reload` matches a reload to its request by this time.
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(&[NotifyState::Reloading, now]);
        }
        Reloading(self)
    }

    /// The daemon ends.
    pub(crate) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping: running ticks are committed")]);
    }

    /// Tells that the daemon is ready and how it is, which `line` says, and goes on to: for as long as its scheduler answers, the
    /// watchdog hears of it; there is no line where it has ended. A scheduler that hangs is what a watchdog is for.
    pub(crate) async fn keep_informed<L>(&self, line: impl Fn() -> L)
    where
        L: Future<Output = Option<String>>,
    {
        if !self.listens {
            return;
        }
        let mut said = String::new();
        let mut looks = tokio::time::interval(self.watchdog.unwrap_or(STATUS_EVERY).min(STATUS_EVERY));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let Some(line) = line().await else { return };
            if said.is_empty() {
                self.ready(&line);
            } else if line != said {
                self.tell(&[NotifyState::Status(&line)]);
            }
            said = line;
            if self.watchdog.is_some() {
                self.tell(&[NotifyState::Watchdog]);
            }
        }
    }

    /// One that cannot be told now is no reason to end, and may listen again later.
    fn tell(&self, what: &[NotifyState<'_>]) {
        if !self.listens {
            return;
        }
        match sd_notify::notify(what) {
            Ok(()) => self.deaf.store(false, Ordering::Relaxed),
            Err(error) => {
                if !self.deaf.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the service manager of NOTIFY_SOCKET cannot be told how the daemon is");
                }
            }
        }
    }
}

impl Drop for Reloading<'_> {
    fn drop(&mut self) {
        self.0.tell(&[NotifyState::Ready]);
    }
}
