use std::process::Stdio;
use std::time::Duration;

use nexo_poller::contract::PollerError;
use nexo_poller::router::ProcessGroup;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// A binary that has not judged a config by then knows no `validate`.
const DEADLINE: Duration = Duration::from_secs(10);
/// Nobody reads a longer reason.
const REASON_LIMIT: u64 = 16 << 10;
/// What a binary that knows `validate` exits with where the config is wrong.
const CONFIG_IS_WRONG: i32 = 3;
/// What a binary exits with that knows `validate` and not its `--json`.
const UNKNOWN_OPTION: i32 = 2;

/// One thing that is wrong with a config.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct ConfigMistake {
    /// The field, as `deliver.channel` or `urls[1]`, where it is known.
    #[serde(default)]
    pub(crate) path: Option<String>,
    pub(crate) message: String,
}

/// What was found out about a config.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Its poller takes it.
    Fits,
    /// Its poller refuses it.
    Refused(Vec<ConfigMistake>),
    /// Nobody has looked at it; why.
    Not(String),
}

/// What `validate --json` prints.
#[derive(Deserialize)]
struct Verdict {
    errors: Vec<ConfigMistake>,
}

/// How a binary has ended, and what it wrote until then.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl ConfigMistake {
    /// The same without what must not reach a terminal, and without the word that every such message begins with.
    fn cleaned(self) -> Self {
        let message: String = self.message.chars().filter(|c| !c.is_control()).collect();
        Self { message: message.strip_prefix("config: ").map(str::to_owned).unwrap_or(message), ..self }
    }

    /// What a binary means that says it in words only: the last line that says something, and the field that it begins with.
    fn in_words(said: &str) -> Self {
        let line = said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("the plugin gave no reason");
        let message = line.strip_prefix("error: ").unwrap_or(line).to_owned();
        let mistake = Self { path: None, message }.cleaned();
        let path =
            mistake.message.strip_prefix('`').and_then(|rest| rest.split_once('`')).map(|(path, _)| path.to_owned());
        Self { path, ..mistake }
    }
}

impl From<&PollerError> for ConfigMistake {
    fn from(error: &PollerError) -> Self {
        Self { path: error.path().map(str::to_owned), message: error.to_string() }.cleaned()
    }
}

/// Asks a plugin's binary whether it takes `config` for `kind`: `<command> validate --json --kind <kind> --config -`, with the
/// config on stdin, where no process list shows it. Of one that knows no such command, or does not answer, nothing is known: the
/// first tick will tell.
pub(crate) async fn ask(command: impl Fn() -> Command, kind: &str, config: &Value) -> Judged {
    let config = config.to_string();
    let unknown = || Judged::Not("its program knows no `validate`".to_owned());
    let Some(said) = exchange(command(), &["validate", "--json", "--kind", kind, "--config", "-"], &config).await
    else {
        let why = format!("its program cannot be run, or did not answer `validate` within {} s", DEADLINE.as_secs());
        return Judged::Not(why);
    };
    let verdict = serde_json::from_str::<Verdict>(&said.stdout);
    match said.code {
        Some(CONFIG_IS_WRONG) => Judged::Refused(match verdict {
            Ok(verdict) if !verdict.errors.is_empty() => {
                verdict.errors.into_iter().map(ConfigMistake::cleaned).collect()
            }
            _ => vec![ConfigMistake::in_words(&said.stderr)],
        }),
        Some(0) if verdict.is_ok() => Judged::Fits,
        // Built before there was `--json`.
        Some(UNKNOWN_OPTION) => {
            match exchange(command(), &["validate", "--kind", kind, "--config", "-"], &config).await {
                Some(Said { code: Some(CONFIG_IS_WRONG), stderr, .. }) => {
                    Judged::Refused(vec![ConfigMistake::in_words(&stderr)])
                }
                Some(Said { code: Some(0), .. }) => Judged::Fits,
                _ => unknown(),
            }
        }
        _ => unknown(),
    }
}

/// `None` where the binary cannot be run, or has not ended in time.
async fn exchange(mut command: Command, arguments: &[&str], config: &str) -> Option<Said> {
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let talk = async {
        let mut child = command.spawn()?;
        // Killed with whatever it has forked, however this ends.
        let _group = ProcessGroup::of(&child);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let tell = async {
            if let Some(mut stdin) = stdin {
                // A binary that does not read its config has closed the pipe; its exit code tells.
                let _ = stdin.write_all(config.as_bytes()).await;
            }
        };
        let ((), stdout, stderr) = tokio::join!(tell, listen(stdout), listen(stderr));
        std::io::Result::Ok(Said { code: child.wait().await?.code(), stdout, stderr })
    };
    tokio::time::timeout(DEADLINE, talk).await.ok()?.ok()
}

/// The beginning of what is written; the rest is read and forgotten, so that nobody waits for us.
async fn listen(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let mut said = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(REASON_LIMIT).read_to_end(&mut said).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A plugin's binary in a few words.
    fn binary(script: &'static str) -> impl Fn() -> Command {
        move || {
            let mut command = Command::new("sh");
            command.args(["-c", script, "plugin"]);
            command
        }
    }

    fn mistake(path: Option<&str>, message: &str) -> ConfigMistake {
        ConfigMistake { path: path.map(str::to_owned), message: message.to_owned() }
    }

    #[tokio::test]
    async fn a_binary_that_knows_json_gives_each_path_and_message() {
        let script = r#"read config; test "$*" = "validate --json --kind rss --config -" || exit 1
            case "$config" in *feed_url*) echo '{"valid":true,"errors":[]}'; exit 0;; esac; echo noise >&2
            echo '{"valid":false,"errors":[{"path":"a.b","message":"config: `a.b`: is odd"},{"message":"and so on"}]}'; exit 3"#;
        assert_eq!(ask(binary(script), "rss", &json!({"feed_url": "x"})).await, Judged::Fits);
        let expected = vec![mistake(Some("a.b"), "`a.b`: is odd"), mistake(None, "and so on")];
        assert_eq!(ask(binary(script), "rss", &json!({})).await, Judged::Refused(expected));
    }

    #[tokio::test]
    async fn of_one_that_knows_none_the_last_line_says_why_and_what_it_begins_with_is_the_path() {
        let script = r#"read config; test "$2" = "--json" && exit 2; test "$1 $2 $3" = "validate --kind rss" || exit 1
            case "$config" in *feed_url*) exit 0;; esac; echo noise >&2; echo "error: $REASON" >&2; exit 3"#;
        let with = |reason: &'static str| {
            let binary = binary(script);
            move || {
                let mut command = binary();
                command.env("REASON", reason);
                command
            }
        };
        assert_eq!(ask(with("x"), "rss", &json!({"feed_url": "x"})).await, Judged::Fits);
        let missing = mistake(None, "missing field `feed_url`");
        assert_eq!(ask(with("missing field `feed_url`"), "rss", &json!({})).await, Judged::Refused(vec![missing]));
        let nested = mistake(Some("deliver.to"), "`deliver.to`: is odd");
        assert_eq!(ask(with("config: `deliver.to`: is odd"), "rss", &json!({})).await, Judged::Refused(vec![nested]));
    }

    #[tokio::test]
    async fn a_binary_without_the_command_has_judged_nothing() {
        let config = json!({"big": "x".repeat(1 << 20)});
        for script in ["exit 0", "exit 2", "exec 0<&-; exit 1", "cat > /dev/null"] {
            let judged = ask(binary(script), "rss", &config).await;
            assert_eq!(judged, Judged::Not("its program knows no `validate`".to_owned()), "{script}");
        }
        let judged = ask(|| Command::new("/no/such/binary"), "rss", &config).await;
        assert!(matches!(&judged, Judged::Not(why) if why.starts_with("its program cannot be run")), "{judged:?}");
    }
}
