use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::contract::LlmUsage;

/// Calls and tokens by provider.
#[derive(Debug, Default)]
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

    /// OpenMetrics text without an end mark. The names were checked when the providers were read.
    pub(super) fn write_metrics(&self, text: &mut String) {
        for (name, help, label, counts) in [
            ("calls", "Calls of language models.", "outcome", &self.calls),
            ("tokens", "Tokens that language models took and gave.", "direction", &self.tokens),
        ] {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP poller_llm_{name} {help}\n# TYPE poller_llm_{name} counter");
            for ((provider, value), count) in counts {
                let _ =
                    writeln!(text, "poller_llm_{name}_total{{provider=\"{provider}\",{label}=\"{value}\"}} {count}");
            }
        }
    }
}
