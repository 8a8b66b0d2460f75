use std::path::{Path, PathBuf};

use nexo_poller::contract::Pattern;
use nexo_poller::manifest::{PluginRights, PluginSection};
use nexo_poller::router::PluginBinary;
use nexo_poller::wire::topics;

use crate::config::{BrokerSettings, PollersFile, RefusedFile};
use crate::core::exit::Exit;
use crate::core::terminal::line_to_stdout;
use crate::plugins::set::{PluginConflict, PluginFault, PluginSet};

/// Why it cannot be said who needs what.
#[derive(Debug, thiserror::Error)]
enum PermissionsError {
    #[error(transparent)]
    File(#[from] RefusedFile),
    #[error("{} names no `broker`: on one machine there is nobody to keep apart", config.display())]
    NoBroker { config: PathBuf },
    #[error(transparent)]
    Conflict(#[from] PluginConflict),
    #[error(transparent)]
    Plugin(#[from] PluginFault),
}

/// Prints what each user of the NATS server needs, and no more.
pub(super) async fn show(config: &Path, shared_inbox: bool) -> Exit {
    match text(config, shared_inbox).await {
        Ok(text) => {
            line_to_stdout(text.trim_end());
            Exit::Ok
        }
        Err(error) => {
            crate::cli::fail(&error.to_string());
            Exit::Config
        }
    }
}

async fn text(config: &Path, shared_inbox: bool) -> Result<String, PermissionsError> {
    let file = PollersFile::load(config)?;
    let Some(broker) = &file.settings.broker else {
        return Err(PermissionsError::NoBroker { config: config.to_owned() });
    };
    let mut plugins = PluginSet::discover(&file.settings).await?;
    if let Some(fault) = std::mem::take(&mut plugins.faults).into_iter().next() {
        return Err(fault.into());
    }
    Ok(authorization(broker, &plugins, shared_inbox))
}

/// The `authorization` block of the server's configuration.
fn authorization(broker: &BrokerSettings, plugins: &PluginSet, shared_inbox: bool) -> String {
    let mut users = vec![daemon(broker, plugins)];
    let remote = plugins.remote.iter().map(|manifest| &manifest.plugin);
    users.extend(remote.map(|section| plugin(section, &plugins.rights(section), shared_inbox)));
    let without_login = match (shared_inbox, plugins.remote.first()) {
        (true, Some(first)) => format!(
            "# Published SDKs log in without user and password. The server can let one user in like that, from wherever it is \
             reached:\n# no_auth_user: \"{}\"\n",
            first.plugin.id
        ),
        _ => String::new(),
    };
    format!(
        "# For the configuration of nats-server. It takes the passwords from its environment: choose them there.\n\
         authorization {{\n  users: [\n{}  ]\n}}\n{without_login}",
        users.concat()
    )
}

/// One user, with what it may do.
fn user(name: &str, publish: &[String], subscribe: &[String], answers_within: u32) -> String {
    let list = |topics: &[String]| {
        let mut topics: Vec<String> = topics.iter().map(|topic| format!("\"{topic}\"")).collect();
        topics.dedup();
        topics.join(", ")
    };
    let (publish, subscribe, variable) = (list(publish), list(subscribe), name.to_uppercase());
    format!(
        "    {{ user: \"{name}\", password: $NEXO_{variable}_PASSWORD, permissions: {{\n      \
         publish: {{ allow: [{publish}] }}\n      subscribe: {{ allow: [{subscribe}] }}\n      \
         allow_responses: {{ max: 8, expires: \"{answers_within}s\" }}\n    }} }}\n"
    )
}

/// A plugin answers the ticks that it is sent, asks the daemon, publishes what it has the right to, and hears nothing else.
fn plugin(plugin: &PluginSection, rights: &PluginRights, shared_inbox: bool) -> String {
    let inbox = topics::answers(&plugin.id);
    let texts = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut publish = texts(rights.publish());
    publish.extend([rights.calls().to_owned(), inbox.clone()]);
    // As a member of its own group only: its ticks are shared, not overheard. Published SDKs know no groups.
    let group = if shared_inbox { String::new() } else { format!(" {}", plugin.id) };
    let mut subscribe: Vec<String> = rights.ticks().iter().map(|topic| format!("{topic}{group}")).collect();
    subscribe.extend(rights.cancels().map(str::to_owned));
    subscribe.extend(texts(rights.subscribe()));
    subscribe.push(inbox);
    if shared_inbox {
        publish.push(topics::ALL_INBOXES.to_owned());
        subscribe.push(topics::ALL_INBOXES.to_owned());
    }
    publish.sort_unstable();
    publish.dedup();
    let timeout = plugin.poller.as_ref().map_or(60, |poller| poller.tick_timeout_secs);
    user(&plugin.id, &publish, &subscribe, timeout + 10)
}

/// A daemon orders ticks, answers calls, knows the other daemons, keeps job state, and does for its own plugins what those may.
fn daemon(broker: &BrokerSettings, plugins: &PluginSet) -> String {
    let remote = plugins.remote.iter().filter_map(|manifest| manifest.plugin.poller.as_ref());
    let ticks = remote.flat_map(|poller| [poller.tick_topic(), poller.cancel_topic()]);
    let own: Vec<PluginRights> = plugins.found.iter().map(PluginBinary::rights).collect();
    let texts = |of: fn(&PluginRights) -> &[Pattern]| {
        own.iter().flat_map(of).map(ToString::to_string).filter(|text| !topics::is_outbound(text)).collect::<Vec<_>>()
    };
    let mut publish: Vec<String> = ticks.collect();
    let owned = |topics: &[&str]| topics.iter().map(|topic| (*topic).to_owned()).collect::<Vec<_>>();
    publish.extend(owned(&[topics::ALL_OUTBOUND, topics::ALL_MEMBERS, topics::ALL_RELAYS, topics::ALL_INBOXES]));
    publish.extend(texts(PluginRights::publish));
    if let Some(state) = &broker.state {
        let bucket = &state.bucket;
        publish.extend([
            "$JS.API.INFO".to_owned(),
            format!("$JS.API.STREAM.*.KV_{bucket}"),
            format!("$JS.API.STREAM.MSG.GET.KV_{bucket}"),
            // To look back at cursors.
            format!("$JS.API.CONSUMER.CREATE.KV_{bucket}"),
            format!("$JS.API.CONSUMER.CREATE.KV_{bucket}.>"),
            format!("$JS.FC.KV_{bucket}.>"),
            format!("$KV.{bucket}.>"),
        ]);
    }
    let mut subscribe = owned(&[topics::ALL_CALLS, topics::ALL_MEMBERS, topics::ALL_RELAYS]);
    subscribe.extend([topics::channel(topics::CONSOLE), topics::answers("daemon")]);
    subscribe.extend(own.iter().flat_map(PluginRights::subscribe).map(ToString::to_string));
    user("daemon", &publish, &subscribe, 130)
}
