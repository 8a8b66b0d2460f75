use std::collections::BTreeMap;
use std::time::Duration;

use nexo_poller::host::{LlmApi, LlmSettings};

use super::yaml::{Place, Sink, Table, entries};

/// The most tokens of a budget; more is a slip.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// Reads `llm: { claude: { api: anthropic, api_key: … } }` of the credentials file.
pub(crate) fn read(top: &mut Table<'_>, sink: &mut Sink<'_>) -> BTreeMap<String, LlmSettings> {
    let Some((key, node)) = top.take("llm") else { return BTreeMap::new() };
    let mut providers = BTreeMap::new();
    for (name, node) in entries("`llm`", Place::value(key, node.at), node, sink) {
        if !is_name(&name.name) {
            sink.add(Place::key(name), "an LLM provider's name is 1 to 64 of a-z, 0-9, `_`, `-` and `.`");
            continue;
        }
        let title = format!("LLM provider `{}`", name.name);
        let Some(mut table) = Table::open(&title, Place::value(name, node.at), node, sink) else { continue };
        let api = table
            .required("api", sink)
            .and_then(|(api, place)| api.parse::<LlmApi>().map_err(|error| sink.add(place, error.to_string())).ok());
        let mut settings = LlmSettings::new(api.unwrap_or(LlmApi::OpenAi));
        if let Some((url, place)) = table.text("base_url", sink) {
            if url.starts_with("http://") || url.starts_with("https://") {
                settings = settings.with_base_url(&url);
            } else {
                sink.add(place, "`base_url` must be an http or https address, such as http://127.0.0.1:8080/v1/");
            }
        }
        if let Some((key, _)) = table.text("api_key", sink) {
            settings = settings.with_api_key(key);
        }
        if let Some(secs) = table.whole("timeout_secs", 1..=3_600, sink) {
            settings = settings.with_timeout(Duration::from_secs(secs));
        }
        if let Some(tokens) = table.whole("tokens_per_job_per_day", 1..=MOST_TOKENS, sink) {
            settings = settings.with_tokens_per_job_per_day(tokens);
        }
        if api.is_some() && settings.lacks_key() {
            sink.add(
                table.place(),
                "the provider lacks `api_key`: write `api_key: ${NAME}` to take it from the environment",
            );
        }
        table.finish(sink);
        providers.insert(name.name.clone(), settings);
    }
    providers
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    (1..=64).contains(&name.len()) && name.chars().all(known)
}
