//! A plugin that misbehaves on demand, for the process tests: each job's config says how.
//!
//! ```sh
//! cargo run --example fixture_chatty -- once --config '{"do": "publish"}'
//! ```

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChattyConfig {
    /// What the tick does.
    #[serde(rename = "do", default)]
    act: Act,
    /// A value that must never be seen outside.
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    deliver: Option<Deliver>,
    /// With secrets inside.
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Act {
    /// Counts its ticks in the cursor.
    #[default]
    Count,
    /// Writes to stdout: itself, through `echo`, and through a child that reads stdin.
    Pollute,
    Panic,
    /// Never ends; listens to nothing.
    Hang,
    /// Blocks its thread for good.
    Block,
    /// Ends as soon as it is told to, with a cursor that says so.
    HangPolitely,
    /// Starts a `sleep` of as many seconds as the secret says, and goes on like the one above.
    Fork,
    /// Publishes, logs and counts once.
    Publish,
    /// Publishes the same message two times.
    PublishTwice,
    PublishOutside,
    Deliver,
    Llm,
    /// Says every secret that it knows: on stderr, in the log, and in its error.
    Leak,
    Transient,
    RateLimited,
    Permanent,
    /// Puts bytes that are not JSON into the cursor.
    BinaryCursor,
    Reset,
    /// Comes back sooner.
    Hint,
}

struct Chatty;

impl DeclaredPoller for Chatty {
    const DECLARATION: Declaration = declaration("chatty");

    fn config_schema() -> Option<schemars::Schema> {
        <Config<ChattyConfig> as FromTick>::config_schema()
    }
}

#[async_trait]
impl Poller for Chatty {
    fn kind(&self) -> &'static str {
        "chatty"
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        <Config<ChattyConfig> as FromTick>::validate(config)
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let Config(config) = Config::<ChattyConfig>::from_tick(ctx).await?;
        match config.act {
            Act::Count => {
                let Cursor(count) = Cursor::<u64>::from_tick(ctx).await?;
                return Ok(TickAck::with_cursor(&(count + 1))?.items(5, 2));
            }
            Act::Pollute => pollute()?,
            Act::Panic => panic!("the secret is {}", config.secret.unwrap_or_default()),
            Act::Hang => std::future::pending().await,
            Act::Block => loop {
                std::thread::sleep(Duration::from_secs(60));
            },
            Act::HangPolitely => {
                // A host that does not answer must not keep it from hearing that it is to end.
                tokio::select! {
                    said = ctx.log(LogLevel::Info, "waiting", json!({})) => said?,
                    () = ctx.cancel.cancelled() => {}
                }
                ctx.cancel.cancelled().await;
                return TickAck::with_cursor("ended politely");
            }
            Act::Fork => {
                let seconds = config.secret.unwrap_or_default();
                Command::new("sleep").arg(seconds).spawn().permanent("sleep cannot be run")?;
                ctx.log(LogLevel::Info, "forked", json!({})).await?;
                ctx.cancel.cancelled().await;
            }
            Act::Publish => {
                ctx.publish("plugin.outbound.console.console", &json!({"to": "ops", "text": "hello"})).await?;
                ctx.log(LogLevel::Warn, "seen", json!({"n": 1})).await?;
                ctx.host.metric_inc("chats".into(), json!({"room": "a"})).await?;
            }
            Act::PublishTwice => {
                for _ in 0..2 {
                    ctx.publish("plugin.outbound.console.console", &json!({"to": "ops", "text": "again"})).await?;
                }
            }
            Act::PublishOutside => ctx.publish("plugin.inbound.x", &json!({})).await?,
            Act::Deliver => {
                let deliver = config.deliver.ok_or_else(|| PollerError::config("config: missing field `deliver`"))?;
                deliver.send(ctx, "delivered").await?;
            }
            Act::Leak => {
                let account = ctx.host.credentials_get("console".to_owned()).await?;
                let environment = std::env::var("CHATTY_TOKEN").unwrap_or_default();
                let said = format!(
                    "leaked: {:?} {:?} {:?} {account} {environment}",
                    config.secret, config.url, config.headers
                );
                eprintln!("{said}");
                ctx.log(LogLevel::Info, said.clone(), json!({"said": said})).await?;
                return Err(PollerError::transient(said));
            }
            Act::Llm => {
                let message = LlmMessage { role: "user".into(), content: "hi".into() };
                let (provider, model) = ("p".to_owned(), "m".to_owned());
                let request =
                    LlmInvokeRequest { provider, model, messages: vec![message], max_tokens: None, temperature: None };
                ctx.host.llm_invoke(request).await?;
            }
            Act::Transient => return Err(PollerError::transient("the source is down")),
            Act::RateLimited => return Err(PollerError::rate_limited("too fast", Duration::from_secs(7))),
            Act::Permanent => return Err(PollerError::permanent("the source is gone for good")),
            Act::BinaryCursor => return Ok(TickAck { next_cursor: Some(vec![0xff, 0]), ..TickAck::new() }),
            Act::Reset => return Ok(TickAck::new().reset_cursor()),
            Act::Hint => return Ok(TickAck::new().next_in(Duration::from_millis(1))),
        }
        Ok(TickAck::new())
    }
}

#[expect(clippy::print_stdout, reason = "that is the misbehaviour")]
fn pollute() -> Result<(), PollerError> {
    println!("{{\"jsonrpc\": \"2.0\", \"polluted\": \"println\"}}");
    print!("polluted without an end of line");
    for script in ["echo polluted by a child", "echo polluted by a reader; cat"] {
        Command::new("sh").args(["-c", script]).status().permanent("sh cannot be run")?;
    }
    Ok(())
}

/// A second kind of the same plugin, with a short deadline.
struct Hasty;

impl DeclaredPoller for Hasty {
    const DECLARATION: Declaration =
        Declaration { tick_timeout_secs: Some(1), max_concurrent_ticks: Some(2), ..declaration("hasty") };
}

#[async_trait]
impl Poller for Hasty {
    fn kind(&self) -> &'static str {
        "hasty"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        Chatty.tick(ctx).await
    }
}

const fn declaration(kind: &'static str) -> Declaration {
    Declaration {
        kind,
        description: "Misbehaves on demand.",
        publish: &["plugin.outbound.>"],
        subscribe: &[],
        lifecycle: None,
        max_concurrent_ticks: Some(4),
        tick_timeout_secs: Some(60),
        plugin_id: Some("chatty"),
        name: Some("Chatty Poller"),
        topic_prefix: None,
        min_nexo_version: None,
        package: Package {
            name: "chatty-poller",
            version: "1.2.3",
            description: "A plugin for tests.",
            bin: Some("fixture_chatty"),
        },
    }
}

fn main() -> ExitCode {
    // One kind or two, so that the tests see both.
    match std::env::var_os("CHATTY_TWO_KINDS") {
        Some(_) => PollerHandler::new().with(Chatty).with(Hasty).main(),
        None => PollerHandler::new().with(Chatty).main(),
    }
}
