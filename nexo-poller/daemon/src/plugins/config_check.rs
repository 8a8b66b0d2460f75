use std::process::Stdio;
use std::time::Duration;

use nexo_poller::router::ProcessGroup;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// A binary that has not judged a config by then knows no `validate`.
const DEADLINE: Duration = Duration::from_secs(10);
/// Nobody reads a longer reason.
const REASON_LIMIT: u64 = 4096;
/// What a binary that knows `validate` exits with where the config is wrong.
const CONFIG_IS_WRONG: i32 = 3;

/// Asks a plugin's binary whether it takes `config` for `kind`: `<command> validate --kind <kind> --config -`, with the
/// config on stdin, where no process list shows it.
///
/// # Errors
/// The plugin's reason. A binary that knows no such command, or does not answer, is no error: the first tick will tell.
pub(crate) async fn ask(mut command: Command, kind: &str, config: &Value) -> Result<(), String> {
    command.args(["validate", "--kind", kind, "--config", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let asked = tokio::time::timeout(DEADLINE, exchange(command, config.to_string())).await;
    match asked {
        Ok(Ok((Some(CONFIG_IS_WRONG), said))) => Err(reason(&said)),
        _ => Ok(()),
    }
}

async fn exchange(mut command: Command, config: String) -> std::io::Result<(Option<i32>, String)> {
    let mut child = command.spawn()?;
    // Killed with whatever it has forked, however this ends.
    let _group = ProcessGroup::of(&child);
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // A binary that does not read its config has closed the pipe; its exit code tells.
            let _ = stdin.write_all(config.as_bytes()).await;
        }
    };
    let listen = async {
        let mut said = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = (&mut stderr).take(REASON_LIMIT).read_to_end(&mut said).await;
            let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        }
        String::from_utf8_lossy(&said).into_owned()
    };
    let ((), said) = tokio::join!(tell, listen);
    Ok((child.wait().await?.code(), said))
}

/// The last line that says something, without the program's name or `error:` in front.
fn reason(said: &str) -> String {
    let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("the plugin gave no reason");
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A plugin's binary in a few words.
    fn binary(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, "plugin"]);
        command
    }

    #[tokio::test]
    async fn exit_code_three_is_a_wrong_config_and_the_last_line_says_why() {
        let script = r#"read config; test "$1 $2 $3" = "validate --kind rss" || exit 1
            case "$config" in *feed_url*) exit 0;; esac; echo noise >&2; echo 'error: missing field `feed_url`' >&2; exit 3"#;
        assert_eq!(ask(binary(script), "rss", &json!({"feed_url": "x"})).await, Ok(()));
        assert_eq!(ask(binary(script), "rss", &json!({})).await, Err("missing field `feed_url`".to_owned()));
    }

    #[tokio::test]
    async fn a_binary_without_the_command_is_taken_at_its_word() {
        let config = json!({"big": "x".repeat(1 << 20)});
        for script in ["exit 0", "exit 2", "exec 0<&-; exit 1", "cat > /dev/null"] {
            assert_eq!(ask(binary(script), "rss", &config).await, Ok(()), "{script}");
        }
        assert_eq!(ask(Command::new("/no/such/binary"), "rss", &config).await, Ok(()));
    }
}
