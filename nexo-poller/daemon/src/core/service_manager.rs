use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

/// The status line is looked at this often where no watchdog asks for more.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// Messages that may wait for the service manager.
const WAITING: usize = 64;

/// The service manager that has started the daemon and wants to hear how it is: systemd, or whatever else has set
/// `NOTIFY_SOCKET`. Without one, nothing here does anything.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    ear: Option<SyncSender<String>>,
    /// That it does not listen was said already.
    full: AtomicBool,
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
        let ear = listens.then(|| sync_channel(WAITING)).and_then(|(ear, messages)| {
            let speaking = std::thread::Builder::new().name("notify".to_owned()).spawn(move || speak(&messages));
            speaking.ok().map(|_| ear)
        });
        // A service manager lets half the time pass before it worries; so do we.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 2).filter(|half| !half.is_zero());
        Self { ear, full: AtomicBool::new(false), watchdog }
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
        if self.ear.is_none() {
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
        let Some(ear) = &self.ear else { return };
        let message: Vec<String> = what.iter().map(ToString::to_string).collect();
        let full = ear.try_send(message.join("\n")).is_err();
        if !self.full.swap(full, Ordering::Relaxed) && full {
            tracing::warn!("the service manager of NOTIFY_SOCKET does not listen");
        }
    }
}

/// Says what comes out of `messages`: the socket's other end may be full, and then this thread alone waits.
fn speak(messages: &Receiver<String>) {
    let mut deaf = false;
    for message in messages {
        match sd_notify::notify(&[NotifyState::Custom(&message)]) {
            Ok(()) => deaf = false,
            Err(error) => {
                if !std::mem::replace(&mut deaf, true) {
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
