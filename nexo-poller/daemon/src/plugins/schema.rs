use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use nexo_poller::router::ProcessGroup;
use serde_json::Value;
use tokio::process::Command;

use super::built_in;
use super::set::PluginSet;
use crate::config::schema::of_file;

/// A binary that has not answered by then knows no `schema`.
const DEADLINE: Duration = Duration::from_secs(10);

/// The JSON Schema of `pollers.yaml`, with the config of every kind that `plugins` and the daemon itself offer: editors
/// complete and check the file with it.
pub(crate) async fn schema(plugins: &PluginSet) -> Value {
    let mut configs: BTreeMap<String, Value> = BTreeMap::new();
    for kind in plugins.kinds() {
        let config = match built_in::config_schema(&kind) {
            Some(config) => config,
            None => match plugins.binary_of(&kind) {
                Some(binary) => ask(binary.command(), &kind).await.unwrap_or(Value::Bool(true)),
                // Others start it: its config is theirs to know.
                None => Value::Bool(true),
            },
        };
        configs.insert(kind, config);
    }
    of_file(&configs)
}

/// `<command> schema --kind <kind>`; a binary that knows no such command says nothing about its config.
async fn ask(mut command: Command, kind: &str) -> Option<Value> {
    command.args(["schema", "--kind", kind]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let exchange = async {
        let child = command.spawn().ok()?;
        let _group = ProcessGroup::of(&child);
        child.wait_with_output().await.ok()
    };
    let output = tokio::time::timeout(DEADLINE, exchange).await.ok().flatten()?;
    output.status.success().then(|| serde_json::from_slice(&output.stdout).ok()).flatten()
}
