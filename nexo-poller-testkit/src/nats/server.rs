use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use tempfile::TempDir;

use super::process::Process;
use super::{NatsServerError, binary};

/// A NATS server with JetStream on a free port of this machine, with its files in a folder of its own. Both are gone
/// when it is dropped.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nexo_poller_testkit::NatsServer;
///
/// let mut server = NatsServer::start()?;
/// // … connect a poller or a daemon to `server.url()` …
/// server.kill(); // a power cut
/// server.restart()?; // the same port, the same data
/// # Ok(())
/// # }
/// ```
pub struct NatsServer {
    program: PathBuf,
    folder: TempDir,
    options: NatsServerOptions,
    port: u16,
    process: Option<Process>,
}

/// How a [`NatsServer`] is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NatsServerOptions {
    /// The port; 0 picks a free one.
    pub port: u16,
    /// The largest message, in bytes.
    pub max_payload: usize,
    /// Whether every JetStream write is synchronised with the disk before it is acknowledged.
    pub sync_always: bool,
    /// More of the server's own configuration language: `authorization { … }`, `tls { … }`.
    pub config: String,
}

impl Default for NatsServerOptions {
    fn default() -> Self {
        Self { port: 0, max_payload: 1 << 20, sync_always: false, config: String::new() }
    }
}

impl NatsServerOptions {
    /// The same with more of the server's own configuration language.
    #[must_use]
    pub fn with_config(mut self, config: impl Into<String>) -> Self {
        self.config = config.into();
        self
    }

    /// The same with another largest message.
    #[must_use]
    pub fn with_max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// The same with every write on the disk before it is acknowledged.
    #[must_use]
    pub fn with_sync_always(mut self) -> Self {
        self.sync_always = true;
        self
    }

    /// The same on a port of the caller's.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl NatsServer {
    /// A server with the default options, ready for clients.
    ///
    /// # Errors
    /// [`NatsServerError`], which says how to get the program where it is missing.
    pub fn start() -> Result<Self, NatsServerError> {
        Self::start_with(NatsServerOptions::default())
    }

    /// A server with options of the caller's, ready for clients.
    ///
    /// # Errors
    /// [`NatsServerError`], which says how to get the program where it is missing.
    pub fn start_with(options: NatsServerOptions) -> Result<Self, NatsServerError> {
        let mut server = Self::prepare(options)?;
        server.restart()?;
        Ok(server)
    }

    /// Everything but the process.
    pub(super) fn prepare(options: NatsServerOptions) -> Result<Self, NatsServerError> {
        let program = binary::find()?;
        let folder = tempfile::tempdir().map_err(NatsServerError::io("its folder cannot be made"))?;
        let port = options.port;
        Ok(Self { program, folder, options, port, process: None })
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port that clients connect to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts the server again on the same port and with the same data, killing it first where it still runs.
    ///
    /// # Errors
    /// [`NatsServerError`] where it does not come up.
    pub fn restart(&mut self) -> Result<(), NatsServerError> {
        self.spawn()?;
        self.wait_until_ready()
    }

    pub(super) fn spawn(&mut self) -> Result<(), NatsServerError> {
        self.kill();
        let config = self.folder.path().join("server.conf");
        fs::write(&config, self.config()).map_err(NatsServerError::io("its configuration cannot be written"))?;
        self.process = Some(Process::start(&self.program, &config)?);
        Ok(())
    }

    pub(super) fn wait_until_ready(&mut self) -> Result<(), NatsServerError> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let line = process.wait_for("Listening for client connections on")?;
        if let Some(port) = line.rsplit(':').next().and_then(|port| port.trim().parse().ok()) {
            self.port = port;
        }
        process.wait_for("Server is ready").map(|_| ())
    }

    /// Waits until the server has logged a line that holds `text`.
    ///
    /// # Errors
    /// [`NatsServerError::NotReady`] where it does not within half a minute.
    pub fn wait_for_log(&mut self, text: &str) -> Result<(), NatsServerError> {
        self.process.as_mut().map_or(Ok(()), |process| process.wait_for(text).map(|_| ()))
    }

    /// Ends the server at once, as a power cut would.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Asks the server to end, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::TERM);
            process.gone();
        }
    }

    /// Stops the process where it stands (SIGSTOP): connections stay open and nobody answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        if let Some(process) = &self.process {
            process.stopped();
        }
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    fn config(&self) -> String {
        // The server picks a free port for -1.
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let sync = if self.options.sync_always { "sync_interval: always" } else { "" };
        format!(
            "host: \"127.0.0.1\"\nport: {port}\nmax_payload: {}\n\
             jetstream {{ store_dir: \"{}\", {sync} }}\n{}\n",
            self.options.max_payload,
            self.folder.path().join("jetstream").display(),
            self.options.config
        )
    }
}

impl std::fmt::Debug for NatsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The configuration may hold a password.
        f.debug_struct("NatsServer").field("port", &self.port).finish_non_exhaustive()
    }
}
