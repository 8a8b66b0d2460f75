//! Language models behind names of the operator's own: [`LlmRegistry`].

mod api;
mod budget;
mod failure;
mod settings;
mod usage;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use genai::chat::{ChatMessage, ChatOptions, ChatRequest};
use genai::{Client, ModelIden};
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::registry::Registry;

pub use self::api::{LlmApi, UnknownLlmApi};
use self::budget::Spent;
pub use self::settings::LlmSettings;
use self::usage::Usage;
use super::LlmProvider;
use crate::contract::{
    ErrorClass, HostError, LlmInvokeRequest, LlmInvokeResponse, LlmMessage, LlmRole, LlmUsage, TickIdentity,
};

/// The longest text of an answer, in bytes. It travels to a plugin in one message, which holds 1 MiB.
const LONGEST_ANSWER: usize = 512 * 1024;

/// Reaching a provider; its answer has the provider's own timeout.
const CONNECT: Duration = Duration::from_secs(10);

/// Providers of language models by name, each with its protocol, address, key, timeout and budget. They can be replaced while
/// ticks run: those in flight end with the provider that they began with.
///
/// ```
/// use nexo_poller::host::{LlmApi, LlmRegistry, LlmSettings};
///
/// let registry = LlmRegistry::default();
/// let local = LlmSettings::new(LlmApi::OpenAi).with_base_url("http://127.0.0.1:8080/v1/");
/// registry.replace([("local".to_owned(), local)].into()).unwrap();
/// ```
#[derive(Default)]
pub struct LlmRegistry {
    providers: RwLock<Arc<BTreeMap<String, Provider>>>,
    spent: Mutex<Spent>,
    usage: Mutex<Usage>,
}

/// Shows no provider: its key is a secret.
impl fmt::Debug for LlmRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmRegistry").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Provider {
    client: Client,
    settings: LlmSettings,
}

/// No HTTP client can be made, whatever the provider: TLS is not usable on this machine.
#[derive(Debug, thiserror::Error)]
#[error("no HTTPS client can be made for language models: {reason}")]
pub struct LlmClientError {
    reason: String,
}

impl LlmRegistry {
    /// From now on these are the providers, by name.
    ///
    /// # Errors
    /// [`LlmClientError`]; nothing was changed.
    pub fn replace(&self, all: BTreeMap<String, LlmSettings>) -> Result<(), LlmClientError> {
        let made = all.into_iter().map(|(name, settings)| Ok((name, Provider::new(settings)?)));
        let made = made.collect::<Result<BTreeMap<_, _>, LlmClientError>>()?;
        *self.providers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
        Ok(())
    }

    /// What the calls have cost, in OpenMetrics text without an end mark: `poller_llm_calls` by provider and outcome,
    /// `poller_llm_tokens` by provider and direction. There are as many series as providers were ever configured, times six.
    pub fn write_metrics(&self, text: &mut String) {
        let usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(usage));
        // Writing to a string cannot fail.
        let _ = encode_registry(text, &registry);
    }

    fn find(&self, name: &str) -> Result<Provider, HostError> {
        let providers = Arc::clone(&self.providers.read().unwrap_or_else(PoisonError::into_inner));
        providers.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = providers.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none is configured".to_owned()
            } else {
                format!("known are {}", known.join(", "))
            };
            refused(ErrorClass::Config, format!("this daemon has no LLM provider `{name}`: {known}"))
        })
    }

    async fn ask(
        &self,
        tick: &TickIdentity,
        provider: &Provider,
        request: &LlmInvokeRequest,
    ) -> Result<LlmInvokeResponse, HostError> {
        let messages = request.messages.iter().map(message).collect::<Vec<_>>();
        if messages.is_empty() {
            return Err(refused(ErrorClass::Config, "a request to a language model has no messages".to_owned()));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = match provider.settings.tokens_per_job_per_day {
            Some(budget) => {
                let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
                Some(spent.left(now, (&request.provider, &tick.job_id), budget)?)
            }
            None => None,
        };
        let mut options = ChatOptions::default();
        let most = request.max_tokens.into_iter().chain(left.map(|left| u32::try_from(left).unwrap_or(u32::MAX))).min();
        options.max_tokens = most;
        options.temperature = request.temperature.map(f64::from);
        let model = ModelIden::new(provider.settings.api.adapter(), request.model.as_str());
        let limit = provider.settings.timeout;
        let asked = provider.client.exec_chat(model, ChatRequest::new(messages), Some(&options));
        let answer = tokio::time::timeout(limit, asked)
            .await
            .map_err(|_| HostError::Timeout { call: "llm_invoke".to_owned(), after: limit })?
            .map_err(|error| failure::host_error(&request.provider, &request.model, &provider.settings, &error))?;
        let model_id = answer.provider_model_iden.model_name.to_string();
        let usage = tokens_of(&answer.usage);
        let content = answer.into_texts().concat();
        let used = usage.unwrap_or_else(|| estimated(&request.messages, &content));
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).add_tokens(&request.provider, used);
        let total = u64::from(used.input_tokens) + u64::from(used.output_tokens);
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).add(now, (&request.provider, &tick.job_id), total);
        // Counted all the same: it was paid for.
        if content.len() > LONGEST_ANSWER {
            return Err(refused(
                ErrorClass::Permanent,
                format!(
                    "the model `{}` of the LLM provider `{}` answered {} bytes, over the limit of {LONGEST_ANSWER} (512 KiB): set \
                     `max_tokens`",
                    request.model,
                    request.provider,
                    content.len()
                ),
            ));
        }
        Ok(LlmInvokeResponse { content, model_id, usage })
    }
}

#[async_trait]
impl LlmProvider for LlmRegistry {
    async fn invoke(&self, tick: &TickIdentity, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        let provider = self.find(&request.provider)?;
        let answer = self.ask(tick, &provider, &request).await;
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(error) => error.class().as_str(),
        };
        self.usage.lock().unwrap_or_else(PoisonError::into_inner).add_call(&request.provider, outcome);
        answer
    }
}

impl Provider {
    fn new(settings: LlmSettings) -> Result<Self, LlmClientError> {
        crate::tls::choose_cryptography();
        let http = genai_http().build();
        let http = http.map_err(|error| LlmClientError { reason: crate::tls::why_no_client(&error) })?;
        let (api, base_url, key) = (settings.api, settings.base_url.clone(), settings.key());
        let target = move |mut target: genai::ServiceTarget| -> Result<_, genai::resolver::Error> {
            if let Some(base_url) = &base_url {
                target.endpoint = genai::resolver::Endpoint::from_owned(base_url.as_str());
            }
            target.auth = key.clone();
            Ok(target)
        };
        let builder = Client::builder().with_reqwest(http).with_adapter_kind(api.adapter());
        let client = builder.with_service_target_resolver_fn(target).build();
        let client = client.map_err(|error| LlmClientError { reason: error.to_string() })?;
        Ok(Self { client, settings })
    }
}

fn genai_http() -> reqwest::ClientBuilder {
    let agent = concat!("nexo-poller/", env!("CARGO_PKG_VERSION"));
    // A request is sent where the operator said: its key must not follow a redirect.
    reqwest::Client::builder().user_agent(agent).connect_timeout(CONNECT).redirect(reqwest::redirect::Policy::none())
}

fn refused(class: ErrorClass, message: String) -> HostError {
    HostError::Rejected { call: "llm_invoke".to_owned(), code: class.code(), message }
}

fn message(message: &LlmMessage) -> ChatMessage {
    let content = message.content.clone();
    match message.role {
        LlmRole::System => ChatMessage::system(content),
        LlmRole::User => ChatMessage::user(content),
        LlmRole::Assistant => ChatMessage::assistant(content),
    }
}

fn tokens_of(usage: &genai::chat::Usage) -> Option<LlmUsage> {
    let count = |tokens: Option<i32>| tokens.and_then(|tokens| u32::try_from(tokens).ok());
    let (input, output) = (count(usage.prompt_tokens), count(usage.completion_tokens));
    (input.is_some() || output.is_some())
        .then(|| LlmUsage { input_tokens: input.unwrap_or_default(), output_tokens: output.unwrap_or_default() })
}

/// Where a provider does not say what it counted, four bytes are a token: a budget must not be without effect.
fn estimated(messages: &[LlmMessage], content: &str) -> LlmUsage {
    let tokens = |bytes: usize| u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX);
    let asked = messages.iter().map(|message| message.content.len()).sum();
    LlmUsage { input_tokens: tokens(asked), output_tokens: tokens(content.len()) }
}
