use nexo_poller::manifest::{Declaration, DeclaredPoller};
use nexo_poller::plugin::PollerHandler;
use nexo_poller::prelude::*;

/// One tick looks at a price list and announces what has another price.
#[derive(Default)]
struct PricesPoller;

#[derive(Deserialize)]
struct PricesConfig {
    items: Vec<(String, u32)>,
    deliver: DeliverConfig,
}

#[derive(Deserialize)]
struct DeliverConfig {
    channel: String,
    #[serde(alias = "recipient")]
    to: String,
}

fn read_config(config: &Value) -> Result<PricesConfig, PollerError> {
    PricesConfig::deserialize(config).map_err(|error| PollerError::config(error.to_string()))
}

#[async_trait]
impl Poller for PricesPoller {
    fn kind(&self) -> &'static str {
        "prices"
    }

    fn description(&self) -> &'static str {
        "Announces prices that changed."
    }

    fn validate(&self, config: &Value) -> Result<(), PollerError> {
        read_config(config).map(drop)
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let config = read_config(&ctx.config)?;
        let mut seen: std::collections::BTreeMap<String, u32> = match &ctx.cursor {
            None => Default::default(),
            Some(bytes) => serde_json::from_slice(bytes).map_err(|error| PollerError::permanent(error.to_string()))?,
        };
        let account = ctx.host.credentials_get(config.deliver.channel.clone()).await?;
        let account = account["account_id"].as_str().ok_or_else(|| PollerError::config("no account_id"))?;
        let topic = format!("plugin.outbound.{}.{account}", config.deliver.channel);
        let mut sent = 0;
        for (item, price) in &config.items {
            if seen.get(item) != Some(price) {
                let payload = json!({"to": config.deliver.to, "text": format!("{item}: {price}")});
                let payload =
                    serde_json::to_vec(&payload).map_err(|error| PollerError::permanent(error.to_string()))?;
                ctx.host.broker_publish(topic.clone(), payload).await?;
                seen.insert(item.clone(), *price);
                sent += 1;
            }
        }
        let cursor = serde_json::to_vec(&seen).map_err(|error| PollerError::permanent(error.to_string()))?;
        let metrics = TickMetrics { items_seen: config.items.len() as u32, items_dispatched: sent };
        Ok(TickAck { next_cursor: Some(cursor), metrics: Some(metrics), ..TickAck::new() })
    }
}

impl DeclaredPoller for PricesPoller {
    const DECLARATION: Declaration =
        Declaration::new("prices", nexo_poller::package!()).publish(&["plugin.outbound.>"]);
}

/// The binary's `main`.
fn main() -> std::process::ExitCode {
    PollerHandler::new().with(PricesPoller).main()
}
