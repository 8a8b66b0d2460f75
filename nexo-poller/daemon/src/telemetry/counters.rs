use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Series that pollers may make; a poller that puts an item's id into a label must not fill the memory.
const MOST_SERIES: usize = 2_000;
const MOST_LABELS: usize = 8;
const LONGEST: usize = 64;

/// The counters that pollers keep with `metric_inc`: by name and labels, within bounds.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    series: BTreeMap<String, BTreeMap<String, u64>>,
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
        let Some(labels) = render(kind, labels).filter(|_| is_name(name)) else {
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

    /// The counters in OpenMetrics text, each name with the prefix `poller_custom_`, without an end mark.
    pub(crate) fn write_metrics(&self, text: &mut String) {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string cannot fail.
        for (name, series) in &counts.series {
            let _ = writeln!(text, "# TYPE poller_custom_{name} counter");
            for (labels, count) in series {
                let _ = writeln!(text, "poller_custom_{name}_total{{{labels}}} {count}");
            }
        }
        let refused = counts.refused;
        let _ = write!(
            text,
            "# HELP poller_custom_refused Counts of pollers that were left out: no name, no label, or too many series.\n\
             # TYPE poller_custom_refused counter\npoller_custom_refused_total {refused}\n"
        );
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn render(kind: &str, labels: &Value) -> Option<String> {
    let mut text = format!("kind=\"{kind}\"");
    let labels = match labels {
        Value::Null => return Some(text),
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
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // Writing to a string cannot fail.
        let _ = write!(text, ",{name}=\"{value}\"");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(counters: &Counters) -> String {
        let mut text = String::new();
        counters.write_metrics(&mut text);
        text
    }

    #[test]
    fn counters_add_up_by_label_and_are_exposed() {
        let counters = Counters::default();
        counters.add("rss", "items_total", &json!({"feed": "a\"b"}));
        counters.add("rss", "items", &json!({"feed": "a\"b"}));
        counters.add("rss", "items", &Value::Null);
        let text = text(&counters);
        assert!(text.contains("poller_custom_items_total{kind=\"rss\",feed=\"a\\\"b\"} 2\n"), "{text}");
        assert!(text.contains("poller_custom_items_total{kind=\"rss\"} 1\n"), "{text}");
    }

    #[test]
    fn a_poller_cannot_make_series_without_end_or_names_that_break_the_text() {
        let counters = Counters::default();
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
