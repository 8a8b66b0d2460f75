use nexo_poller::manifest::Manifest;

use crate::lines::{Choices, SHARP};

const VALID: &str = r#"
manifest_version = 2
[plugin]
id = "jira"
version = "0.1.0"
name = "Jira Poller"
min_nexo_version = ">=0.2.0"
[plugin.entrypoint]
command = "jira-poller"
[plugin.requires]
nexo_capabilities = ["broker"]
[plugin.capabilities.broker]
subscribe = ["plugin.poller.jira.tick", "_inbox.>"]
publish = ["daemon.rpc.jira", "plugin.outbound.>", "_inbox.>"]
[plugin.poller]
kinds = ["jira"]
broker_topic_prefix = "plugin.poller.jira"
"#;

/// A plugin's manifest, as a file and as the handshake brings it: accepted or refused, and what is accepted can be written.
pub(crate) fn manifest(input: &[u8]) {
    let mut choices = Choices::new(input);
    let text = if choices.below(4) == 0 {
        input.to_vec()
    } else {
        let mut text = VALID.as_bytes().to_vec();
        for _ in 0..=choices.below(8) {
            let at = choices.below(text.len());
            match choices.below(3) {
                0 => text[at] = SHARP[choices.below(SHARP.len())],
                1 => text.insert(at, SHARP[choices.below(SHARP.len())]),
                _ => drop(text.drain(at..(at + 1 + choices.below(8)).min(text.len()))),
            }
        }
        text
    };
    if let Ok(manifest) = Manifest::parse(&String::from_utf8_lossy(&text), "a fuzzed manifest") {
        let _ = manifest.to_toml();
    }
    let _ = Manifest::from_handshake(&String::from_utf8_lossy(input), "a fuzzed handshake");
    let _ = Manifest::from_handshake(&String::from_utf8_lossy(&crate::lines::lines(input)), "a fuzzed handshake");
}
