use std::collections::BTreeMap;

use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PricesConfig {
    items: Vec<(String, u32)>,
    deliver: Deliver,
}

/// Announces prices that changed.
#[poller(kind = "prices", publish = ["plugin.outbound.>"], main = false)]
async fn prices(
    ctx: &PollContext,
    Config(config): Config<PricesConfig>,
    Cursor(mut seen): Cursor<BTreeMap<String, u32>>,
) -> Result<TickAck, PollerError> {
    let mut sent = 0;
    for (item, price) in &config.items {
        if seen.insert(item.clone(), *price) != Some(*price) {
            config.deliver.send(ctx, &format!("{item}: {price}")).await?;
            sent += 1;
        }
    }
    Ok(TickAck::with_cursor(&seen)?.items(config.items.len(), sent))
}
