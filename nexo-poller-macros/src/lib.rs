//! The `#[poller]` attribute of [nexo-poller](https://docs.rs/nexo-poller), which re-exports it: depend on that crate,
//! not on this one.
//!
//! The way of one expansion: `attr` reads the attribute's arguments, `ast` the function, `valid` holds every rule,
//! and `expand` only quotes; `fallback` does so where something was wrong.

mod ast;
mod attr;
mod errors;
mod expand;
mod fallback;
mod names;
mod pipeline;
#[cfg(test)]
mod snapshots;
mod valid;

use proc_macro::TokenStream;

/// Makes a poller of one async function.
///
/// ```
/// use nexo_poller::prelude::*;
///
/// #[derive(Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct CounterConfig {
///     deliver: Deliver,
/// }
///
/// /// Counts its own ticks.
/// #[poller(kind = "counter", publish = ["plugin.outbound.>"], main = false)]
/// async fn counter(
///     ctx: &PollContext,
///     Config(config): Config<CounterConfig>,
///     Cursor(count): Cursor<u64>,
/// ) -> Result<TickAck, PollerError> {
///     config.deliver.send(ctx, &format!("tick {count}")).await?;
///     TickAck::with_cursor(&(count + 1))
/// }
///
/// assert_eq!(Counter.kind(), "counter");
/// assert_eq!(Counter.description(), "Counts its own ticks.");
/// Counter.validate(&json!({"deliver": {"channel": "console"}})).unwrap_err();
/// ```
///
/// The function itself stays as it is. Beside it stand a unit struct named after it in `UpperCamelCase` (`counter` →
/// `Counter`) that implements `Poller` and `DeclaredPoller`, and `fn main`, the whole plugin as one library call.
///
/// # The function
///
/// `async`, neither generic nor `unsafe`, and it returns `Result<TickAck, PollerError>`. Its arguments, in any order and
/// number, are extractors: `&PollContext`, `Config<T>`, `Cursor<T>`, `State<T>`, `CancellationToken`, or a type of yours
/// that implements `FromTick`.
///
/// # Arguments of the attribute
///
/// | key | value | default |
/// | --- | --- | --- |
/// | `kind` | the name that `kind:` selects in `pollers.yaml`, `^[a-z][a-z0-9_]+$` | required |
/// | `description` | one sentence for people | the first paragraph of the doc comment |
/// | `publish` | topic patterns that ticks publish on, as `["plugin.outbound.>"]`; others than these the operator has to allow | none |
/// | `subscribe` | topic patterns that the plugin listens to besides its ticks; the operator has to allow them | none |
/// | `lifecycle` | `"long_lived"`: one process, many ticks; `"ephemeral"`: one process per tick | `"long_lived"` |
/// | `max_concurrent_ticks` | ticks of this kind that may run at once, 1 to 64 | 1 |
/// | `tick_timeout_secs` | the deadline of one tick, 1 to 3600 seconds | 60 |
/// | `plugin_id` | the plugin's id, `^[a-z][a-z0-9_]{0,31}$` | the kind |
/// | `name` | the plugin's name for people | the id, as words |
/// | `topic_prefix` | ticks arrive on `<topic_prefix>.tick` | `plugin.poller.<plugin id>` |
/// | `min_nexo_version` | the daemon versions it works with, as `">=0.2.0"` | `">=0.2.0"` |
/// | `main` | whether `fn main` is made; `false` in a library, or where several pollers share a plugin | `true` |
/// | `crate` | where nexo-poller is found, for a renamed dependency | `::nexo_poller` |
///
/// The plugin's version, and its description where the function has none, are those of the crate that it is written in.
///
/// # Several kinds, one plugin
///
/// ```
/// use nexo_poller::prelude::*;
///
/// /// New mail.
/// #[poller(kind = "gmail", plugin_id = "google", main = false)]
/// async fn gmail() -> Result<TickAck, PollerError> {
///     Ok(TickAck::new())
/// }
///
/// /// Changed events.
/// #[poller(kind = "google_calendar", main = false)]
/// async fn calendar() -> Result<TickAck, PollerError> {
///     Ok(TickAck::new())
/// }
///
/// fn main() -> std::process::ExitCode {
/// #   if true { return std::process::ExitCode::SUCCESS; }
///     PollerHandler::new().with(Gmail).with(Calendar).main()
/// }
/// ```
#[proc_macro_attribute]
pub fn poller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    pipeline::poller(arguments.into(), item.into()).into()
}
