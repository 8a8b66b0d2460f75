use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use serde_json::Value;

/// Series that pollers may make; a poller that puts an item's id into a label must not fill the memory.
const MOST_SERIES: usize = 2_000;
const MOST_LABELS: usize = 8;
const LONGEST: usize = 64;
/// Our own counter of what was left out. A second one of that name would make the whole text unreadable.
const REFUSED: &str = "refused";

/// The counters that pollers keep with `metric_inc`: by name and labels, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: Mutex<Counts>,
}

type Labels = Vec<(String, String)>;

#[derive(Debug, Default)]
struct Counts {
    series: BTreeMap<String, BTreeMap<Labels, u64>>,
    kept: usize,
    refused: u64,
}

impl Counters {
    /// Adds one to `name` with `labels`, of a tick of `kind`. What is no name or label, or one series too many, is counted
    /// as refused.
    pub(crate) fn add(&self, kind: &str, name: &str, labels: &Value) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        let name = name.trim_end_matches("_total");
        let Some(labels) = labels_of(kind, labels).filter(|_| is_name(name) && name != REFUSED) else {
            counts.refused += 1;
            return;
        };
        if let Some(count) = counts.series.get_mut(name).and_then(|series| series.get_mut(&labels)) {
            *count += 1;
        } else if counts.kept < MOST_SERIES {
            counts.kept += 1;
            counts.series.entry(name.to_owned()).or_default().insert(labels, 1);
        } else {
            counts.refused += 1;
        }
    }

    /// Adds the counters, each name with the prefix `poller_custom_`.
    pub(crate) fn register(self: &Arc<Self>, registry: &mut Registry) {
        registry.sub_registry_with_prefix("poller_custom").register_collector(Box::new(Arc::clone(self)));
    }
}

impl Collector for Counters {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, series) in &counts.series {
            let help = "Counted by pollers themselves.";
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (labels, count) in series {
                ConstCounter::new(*count).encode(family.encode_family(labels)?)?;
            }
        }
        let help = "Counts of pollers that were left out: no name, no label, or too many series.";
        ConstCounter::new(counts.refused).encode(encoder.encode_descriptor(REFUSED, help, None, MetricType::Counter)?)
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn labels_of(kind: &str, labels: &Value) -> Option<Labels> {
    let mut all = vec![("kind".to_owned(), kind.to_owned())];
    let labels = match labels {
        Value::Null => return Some(all),
        Value::Object(labels) if labels.len() <= MOST_LABELS => labels,
        _ => return None,
    };
    for (name, value) in labels.iter().filter(|(name, _)| *name != "kind") {
        let value = match value {
            Value::String(value) => value.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => return None,
        };
        if !is_name(name) || value.len() > LONGEST {
            return None;
        }
        all.push((name.clone(), value));
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(counters: &Arc<Counters>) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        counters.register(&mut registry);
        prometheus_client::encoding::text::encode_registry(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn counters_add_up_by_label_and_are_exposed() {
        let counters = Arc::new(Counters::default());
        counters.add("rss", "items_total", &json!({"feed": "a\"b"}));
        counters.add("rss", "items", &json!({"feed": "a\"b"}));
        counters.add("rss", "items", &Value::Null);
        let text = text(&counters);
        assert!(text.contains("poller_custom_items_total{kind=\"rss\",feed=\"a\\\"b\"} 2\n"), "{text}");
        assert!(text.contains("poller_custom_items_total{kind=\"rss\"} 1\n"), "{text}");
    }

    #[test]
    fn a_counter_that_has_the_name_of_ours_is_left_out_and_the_text_stays_readable() {
        let counters = Arc::new(Counters::default());
        for name in ["refused", "refused_total", "refused_total_total"] {
            counters.add("rss", name, &Value::Null);
        }
        let text = text(&counters);
        assert_eq!(text.matches("# TYPE poller_custom_refused ").count(), 1, "{text}");
        assert!(text.contains("poller_custom_refused_total 3\n"), "{text}");
    }

    #[test]
    fn a_poller_cannot_make_series_without_end_or_names_that_break_the_text() {
        let counters = Arc::new(Counters::default());
        for id in 0..MOST_SERIES * 2 {
            counters.add("rss", "x", &json!({ "id": id }));
        }
        for name in ["", "1x", "a b", "a\nb", &"x".repeat(65)] {
            counters.add("rss", name, &Value::Null);
        }
        let text = text(&counters);
        assert_eq!(text.matches("poller_custom_x_total{").count(), MOST_SERIES);
        assert!(text.contains(&format!("poller_custom_refused_total {}\n", MOST_SERIES + 5)), "{text}");
    }
}
