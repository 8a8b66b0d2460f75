use std::fmt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nexo_poller::router::PluginEnvironment;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::ProcessError;

/// Longer nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A plugin's process with its bare pipes, for a test that speaks the protocol by hand, or breaks it.
///
/// ```no_run
/// use nexo_poller_testkit::process::{PluginPipes, built_binary};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut plugin = PluginPipes::start(built_binary(env!("CARGO_MANIFEST_DIR"), "jira-poller")?, "jira")?;
/// plugin.write("this is no protocol").await?;
/// assert_eq!(plugin.initialize().await?["plugin"]["id"], "jira");
/// plugin.close_stdin();
/// let (_, stderr) = plugin.ended().await?;
/// assert!(stderr.contains("a line that is not JSON-RPC was skipped"));
/// # Ok(())
/// # }
/// ```
pub struct PluginPipes {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: ChildStderr,
}

impl fmt::Debug for PluginPipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginPipes").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl PluginPipes {
    /// Starts `program` as the daemon starts the plugin `id`.
    ///
    /// # Errors
    /// [`ProcessError::Io`].
    pub fn start(program: impl AsRef<Path>, id: &str) -> Result<Self, ProcessError> {
        Self::start_with(program.as_ref(), id, &[])
    }

    /// The same with more in the environment.
    pub(crate) fn start_with(program: &Path, id: &str, environment: &[(&str, &str)]) -> Result<Self, ProcessError> {
        let mut command = PluginEnvironment::new().command(program, []);
        command.envs(environment.iter().copied()).env("NEXO_POLLER_PLUGIN_ID", id);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let cannot = || format!("{} cannot be started", program.display());
        let mut child = command.spawn().map_err(ProcessError::io(cannot()))?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (stdin @ Some(_), Some(stdout), Some(stderr)) => {
                Ok(Self { child, stdin, stdout: BufReader::new(stdout).lines(), stderr })
            }
            _ => Err(ProcessError::io(cannot())(std::io::Error::other("a pipe is missing"))),
        }
    }

    /// Writes one line to its stdin, whatever it is.
    ///
    /// # Errors
    /// [`ProcessError::Io`] where it reads no more.
    pub async fn write(&mut self, line: &str) -> Result<(), ProcessError> {
        let cannot = ProcessError::io("the plugin's stdin cannot be written");
        let Some(stdin) = &mut self.stdin else { return Err(cannot(std::io::Error::other("it is closed"))) };
        let line = format!("{line}\n");
        let written = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        };
        written.await.map_err(cannot)
    }

    /// The next line of its stdout; `None` at the end.
    ///
    /// # Errors
    /// [`ProcessError::Io`] where nothing comes within 30 s.
    pub async fn read(&mut self) -> Result<Option<String>, ProcessError> {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.unwrap_or_else(|_| Err(late()));
        line.map_err(ProcessError::io("the plugin's stdout cannot be read"))
    }

    /// Shakes hands; the manifest that it answers.
    ///
    /// # Errors
    /// [`ProcessError::NoPlugin`] where it answers something else.
    pub async fn initialize(&mut self) -> Result<Value, ProcessError> {
        let version = env!("CARGO_PKG_VERSION");
        let params = json!({"nexo_version": version});
        self.write(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string()).await?;
        let line = self.read().await?.unwrap_or_default();
        let answer: Value = serde_json::from_str(&line).unwrap_or_default();
        match answer.pointer("/result/manifest") {
            Some(manifest) => Ok(manifest.clone()),
            None => Err(ProcessError::NoPlugin(format!("`initialize` was answered by {line:?}"))),
        }
    }

    /// Closes its stdin: to the plugin, the daemon is gone.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits until it has ended: how, and what it wrote to stderr.
    ///
    /// # Errors
    /// [`ProcessError::Io`] where it does not end within 30 s.
    pub async fn ended(mut self) -> Result<(ExitStatus, String), ProcessError> {
        self.stdin = None;
        let mut stderr = Vec::new();
        let ending = async {
            self.stderr.read_to_end(&mut stderr).await?;
            self.child.wait().await
        };
        let status = timeout(PATIENCE, ending).await.unwrap_or_else(|_| Err(late()));
        let status = status.map_err(ProcessError::io("the plugin has not ended"))?;
        Ok((status, String::from_utf8_lossy(&stderr).into_owned()))
    }
}

fn late() -> std::io::Error {
    std::io::Error::other(format!("not within {} s", PATIENCE.as_secs()))
}
