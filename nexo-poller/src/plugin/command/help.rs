use crate::manifest::Manifest;

/// The help text of a plugin's binary.
pub(super) fn text(manifest: &Manifest) -> String {
    let plugin = &manifest.plugin;
    let bin = &plugin.entrypoint.command;
    let kinds = plugin.poller.as_ref().map(|poller| poller.kinds.join(", ")).unwrap_or_default();
    format!(
        "{name} {version}
{description}
Kinds: {kinds}

Usage: {bin} [COMMAND] [OPTIONS]

  (no command)      serve the daemon that started it, over stdin and stdout; with NEXO_BROKER_URL=nats://…, every
                    daemon on that server
  once              run one tick; show what it published, logged and counted, and the new cursor
  dev               run ticks again and again; keep the cursor in a file
  validate [FILE]   check a job's config, without a tick
  schema            print the JSON Schema of the config
  --print-manifest  print nexo-plugin.toml
  --help, --version

Options of once, dev, validate and schema:
  --kind KIND             which poller, where the plugin has several
  --config FILE|-|JSON    the job's config: a JSON or TOML file, stdin, or JSON itself (not schema) [{{}}]

Options of once and dev:
  --job ID                the job's id [once, dev]
  --agent ID              the agent that owns the job [console]
  --account CHANNEL=ID    the agent's account on a channel, or CHANNEL={{\"account_id\": …}} for more fields;
                          repeatable [account `console` on every channel]
  --json                  one JSON object per tick instead of text

Options of validate:
  --json                  print {{\"valid\": …, \"errors\": [{{\"path\": \"deliver.to\", \"message\": …}}]}} instead of text

Options of once:
  --cursor FILE|JSON      where to resume [first run]
  --now TIME              the tick's time, RFC 3339 [now]

Options of dev:
  --every TIME            how often: 500ms, 10s, 5m, 1h [10s]
  --ticks N               stop after N ticks [Ctrl-C stops]
  --cursor-file FILE      where the cursor is kept; delete it to start over [.nexo-dev/KIND.cursor]

Exit codes: 0 it worked; 1 a file cannot be read or written; 2 wrong command line; 3 wrong config;
4 permanent error (a daemon would pause the job); 5 transient error (a daemon would retry).
",
        name = plugin.name,
        version = plugin.version,
        description = plugin.description,
    )
}
