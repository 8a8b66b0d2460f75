use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::contract::LlmUsage;

/// Calls and tokens by provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    /// By provider and outcome.
    calls: BTreeMap<(String, &'static str), u64>,
    /// By provider and direction.
    tokens: BTreeMap<(String, &'static str), u64>,
}

impl Usage {
    pub(super) fn add_call(&mut self, provider: &str, outcome: &'static str) {
        *self.calls.entry((provider.to_owned(), outcome)).or_default() += 1;
    }

    pub(super) fn add_tokens(&mut self, provider: &str, used: LlmUsage) {
        for (direction, tokens) in [("input", used.input_tokens), ("output", used.output_tokens)] {
            *self.tokens.entry((provider.to_owned(), direction)).or_default() += u64::from(tokens);
        }
    }
}

impl Collector for Usage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, label, counts) in [
            ("poller_llm_calls", "Calls of language models.", "outcome", &self.calls),
            ("poller_llm_tokens", "Tokens that language models took and gave.", "direction", &self.tokens),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for ((provider, value), count) in counts {
                let labels = [("provider", provider.as_str()), (label, value)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
