use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use lexopt::ValueExt as _;
use serde_json::{Value, json};

use super::duration::parse_duration;
use super::failure::Failure;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    Serve,
    Once(TickArgs),
    Dev(DevArgs),
    Validate { kind: Option<String>, config: Option<String>, json: bool },
    Schema { kind: Option<String> },
    PrintManifest,
    Help,
    Version,
}

/// What a tick by hand is given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TickArgs {
    pub(super) kind: Option<String>,
    /// A file, `-`, or JSON itself.
    pub(super) config: Option<String>,
    pub(super) job: String,
    pub(super) agent: String,
    /// A file, or JSON itself.
    pub(super) cursor: Option<String>,
    pub(super) now: Option<DateTime<Utc>>,
    pub(super) accounts: Vec<(String, Value)>,
    pub(super) json: bool,
}

/// What `dev` is given besides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DevArgs {
    pub(super) tick: TickArgs,
    pub(super) every: Duration,
    pub(super) ticks: Option<u64>,
    pub(super) cursor_file: Option<PathBuf>,
}

/// The options of each command that takes any.
const OPTIONS: [(&str, &[&str]); 4] = [
    ("once", &["kind", "config", "job", "agent", "account", "json", "cursor", "now"]),
    ("dev", &["kind", "config", "job", "agent", "account", "json", "every", "ticks", "cursor-file"]),
    ("validate", &["kind", "config", "json"]),
    ("schema", &["kind"]),
];

/// Options as they are found, before it is known whether the command takes them.
#[derive(Default)]
struct Found {
    kind: Option<String>,
    config: Option<String>,
    job: Option<String>,
    agent: Option<String>,
    cursor: Option<String>,
    now: Option<DateTime<Utc>>,
    accounts: Vec<(String, Value)>,
    json: bool,
    every: Option<Duration>,
    ticks: Option<u64>,
    cursor_file: Option<PathBuf>,
}

impl Found {
    fn tick(self, command: &str) -> TickArgs {
        TickArgs {
            kind: self.kind,
            config: self.config,
            job: self.job.unwrap_or_else(|| command.to_owned()),
            agent: self.agent.unwrap_or_else(|| "console".to_owned()),
            cursor: self.cursor,
            now: self.now,
            accounts: self.accounts,
            json: self.json,
        }
    }
}

/// Reads a command line.
pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Command, Failure> {
    let mut command: Option<String> = None;
    let mut given: Vec<String> = Vec::new();
    let mut found = Found::default();
    while let Some(arg) = parser.next()? {
        let option = match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => return Ok(Command::Help),
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => return Ok(Command::Version),
            lexopt::Arg::Long("print-manifest") => return Ok(Command::PrintManifest),
            lexopt::Arg::Value(value) if command.is_none() => {
                command = Some(value.string()?);
                continue;
            }
            lexopt::Arg::Value(value) if command.as_deref() == Some("validate") && found.config.is_none() => {
                found.config = Some(value.string()?);
                continue;
            }
            lexopt::Arg::Long(option) => option.to_owned(),
            other @ (lexopt::Arg::Short(_) | lexopt::Arg::Value(_)) => return Err(other.unexpected().into()),
        };
        read_option(&option, &mut parser, &mut found)?;
        given.push(option);
    }
    let Some(command) = command else {
        return match given.first() {
            None => Ok(Command::Serve),
            Some(option) => Err(Failure::usage(format!("--{option} belongs to a command, and none is given"))),
        };
    };
    let Some((_, allowed)) = OPTIONS.iter().find(|(name, _)| *name == command) else {
        return match command.as_str() {
            "help" => Ok(Command::Help),
            "version" => Ok(Command::Version),
            "manifest" => Ok(Command::PrintManifest),
            _ => Err(Failure::usage(format!("`{command}` is not a command; expected once, dev, validate or schema"))),
        };
    };
    if let Some(stray) = given.iter().find(|option| !allowed.contains(&option.as_str())) {
        return Err(Failure::usage(format!("`{command}` takes no --{stray}; it takes --{}", allowed.join(", --"))));
    }
    Ok(match command.as_str() {
        "once" => Command::Once(found.tick("once")),
        "dev" => Command::Dev(DevArgs {
            every: found.every.unwrap_or(Duration::from_secs(10)),
            ticks: found.ticks,
            cursor_file: found.cursor_file.take(),
            tick: found.tick("dev"),
        }),
        "validate" => Command::Validate { kind: found.kind, config: found.config, json: found.json },
        _ => Command::Schema { kind: found.kind },
    })
}

fn read_option(option: &str, parser: &mut lexopt::Parser, found: &mut Found) -> Result<(), Failure> {
    if option == "json" {
        found.json = true;
        return Ok(());
    }
    if !OPTIONS.iter().any(|(_, options)| options.contains(&option)) {
        return Err(Failure::usage(format!("unknown option --{option}")));
    }
    let value = parser.value()?.string()?;
    let wrong = |expected: &str| Failure::usage(format!("--{option} is {expected}"));
    match option {
        "kind" => found.kind = Some(value),
        "config" => found.config = Some(value),
        "job" => found.job = Some(value),
        "agent" => found.agent = Some(value),
        "cursor" => found.cursor = Some(value),
        "cursor-file" => found.cursor_file = Some(value.into()),
        "now" => {
            found.now = Some(value.parse().map_err(|_| wrong("an RFC 3339 time, as in 2026-05-17T10:00:00Z"))?);
        }
        "every" => found.every = Some(parse_duration(&value).ok_or_else(|| wrong("a time like 500ms, 10s, 5m or 1h"))?),
        "ticks" => found.ticks = Some(value.parse().map_err(|_| wrong("a number of ticks"))?),
        _ => found
            .accounts
            .push(account(&value).ok_or_else(|| wrong("CHANNEL=ACCOUNT_ID or CHANNEL={\"account_id\": …}"))?),
    }
    Ok(())
}

/// `telegram=bot_1` or `google={"account_id": …}`.
fn account(text: &str) -> Option<(String, Value)> {
    let (channel, account) =
        text.split_once('=').filter(|(channel, account)| !channel.is_empty() && !account.is_empty())?;
    let fields = match account.starts_with('{') {
        true => serde_json::from_str::<serde_json::Map<String, Value>>(account).ok()?.into(),
        false => json!({ "account_id": account }),
    };
    Some((channel.to_owned(), fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, Failure> {
        parse(lexopt::Parser::from_args(line.split_whitespace()))
    }

    #[test]
    fn no_argument_serves_and_each_command_has_its_name() {
        assert_eq!(read(""), Ok(Command::Serve));
        assert_eq!(read("--help"), Ok(Command::Help));
        assert_eq!(read("once -h"), Ok(Command::Help));
        assert_eq!(read("--version"), Ok(Command::Version));
        assert_eq!(read("--print-manifest"), Ok(Command::PrintManifest));
        assert_eq!(read("schema --kind rss"), Ok(Command::Schema { kind: Some("rss".into()) }));
        let validate = |json| Ok(Command::Validate { kind: None, config: Some("job.toml".into()), json });
        assert_eq!(read("validate job.toml"), validate(false));
        assert_eq!(read("validate --config=job.toml"), validate(false));
        assert_eq!(read("validate job.toml --json"), validate(true));
    }

    #[test]
    fn once_has_defaults_for_everything() {
        let Ok(Command::Once(tick)) = read("once") else { panic!("once must parse") };
        assert_eq!((tick.job.as_str(), tick.agent.as_str(), tick.json), ("once", "console", false));
        assert_eq!((tick.config, tick.cursor, tick.now), (None, None, None));
    }

    #[test]
    fn every_option_reaches_the_tick() {
        let line = "dev --kind rss --config c.json --job j --agent a --account telegram=bot --every 5m --ticks 3 \
                    --cursor-file x --json --account google={\"account_id\":\"g\",\"scopes\":[]}";
        let Ok(Command::Dev(dev)) = read(line) else { panic!("dev must parse") };
        assert_eq!((dev.every, dev.ticks, dev.cursor_file), (Duration::from_secs(300), Some(3), Some("x".into())));
        assert_eq!(dev.tick.accounts[0], ("telegram".into(), json!({"account_id": "bot"})));
        assert_eq!(dev.tick.accounts[1], ("google".into(), json!({"account_id": "g", "scopes": []})));
        assert!(dev.tick.json);
    }

    #[test]
    fn a_wrong_command_line_says_what_is_right() {
        let table = [
            ("twice", "`twice` is not a command; expected once, dev, validate or schema"),
            ("once --confg x", "unknown option --confg"),
            ("once --every 3s", "`once` takes no --every; it takes --kind, --config"),
            ("--json", "--json belongs to a command"),
            ("dev --every soon", "--every is a time like"),
            ("once --now yesterday", "--now is an RFC 3339 time"),
            ("once --account telegram", "--account is CHANNEL=ACCOUNT_ID"),
            ("dev --ticks many", "--ticks is a number of ticks"),
            ("once more", "unexpected argument"),
            ("once --config", "missing argument"),
            ("once --json=yes", "unexpected argument"),
        ];
        for (line, expected) in table {
            let failure = read(line).expect_err(line);
            let message = failure.message().unwrap_or_default();
            assert!(message.contains(expected), "{line}: {message}");
            assert!(message.ends_with("--help lists the commands and their options"), "{line}: {message}");
        }
    }
}
