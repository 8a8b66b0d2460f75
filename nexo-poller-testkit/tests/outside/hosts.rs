//! The mocked host, the daemon's own and the one in a plugin answer the same calls in the same way.

#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nexo_poller::broker::{Broker as _, LocalBroker};
use nexo_poller::contract::{LlmInvokeResponse, TickIdentity};
use nexo_poller::host::{HostServices, InProcessHost, LlmProvider, StaticCredentials};
use nexo_poller::manifest::{Declaration, DeclaredPoller, Package};
use nexo_poller::plugin::{TickGrace, TickServer};
use nexo_poller::prelude::*;
use nexo_poller::router::{PluginPollerRouter, serve_calls};
use nexo_poller::unstable::{AuthorTick, PublishList, TickGate};
use nexo_poller_testkit::JobTest;
use tokio_util::sync::CancellationToken;

/// Makes each call that a tick can make, right and wrong, and writes down what it hears.
#[derive(Clone, Default)]
struct Asks(Arc<Mutex<Vec<String>>>);

impl DeclaredPoller for Asks {
    const DECLARATION: Declaration =
        Declaration::new("asks", Package::new("asks", "0.1.0")).publish(&["plugin.outbound.>"]);
}

#[async_trait]
impl Poller for Asks {
    fn kind(&self) -> &'static str {
        "asks"
    }

    async fn tick(&self, ctx: &PollContext) -> Result<TickAck, PollerError> {
        let host = &ctx.host;
        let note = |call: &str, heard: Result<Value, HostError>| {
            let heard = match heard {
                Ok(value) => format!("ok {}", canonical(&value)),
                Err(error) => heard_as(error),
            };
            self.0.lock().unwrap().push(format!("{call}: {heard}"));
        };
        let payload = |text: &str| text.as_bytes().to_vec();
        for (topic, text) in [
            ("plugin.outbound.telegram.bot", r#"{"to": "1", "text": "hello"}"#),
            ("plugin.outbound.telegram.bot", r#"{"to": "1", "text": "hello"}"#),
            ("plugin.outbound.telegram.bot", "no JSON"),
            ("plugin.outbound.*", "{}"),
            ("plugin.outbound.a b", "{}"),
            ("plugin.inbound.telegram", "{}"),
        ] {
            let published = host.broker_publish(topic.to_owned(), payload(text)).await;
            note(&format!("publish {topic} {text}"), published.map(|()| Value::Null));
        }
        for channel in ["telegram", "console", "slack"] {
            note(&format!("credentials {channel}"), host.credentials_get(channel.to_owned()).await);
        }
        let logged = host.log(LogLevel::Warn, "seen".to_owned(), json!({"n": 1})).await;
        note("log", logged.map(|()| Value::Null));
        let counted = host.metric_inc("chats".to_owned(), json!({"room": "a"})).await;
        note("metric", counted.map(|()| Value::Null));
        let request = LlmInvokeRequest::new("p", "m", vec![LlmMessage::user("hi")]);
        note("llm", host.llm_invoke(request).await.map(|answer| json!(answer.content)));
        TickAck::with_cursor(&1)
    }
}

/// As text, whether this build keeps the order of keys or not.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().map(|(key, value)| (key, canonical(value))).collect();
            format!("{fields:?}")
        }
        other => other.to_string(),
    }
}

/// What a tick can act on: which error it is, and what class. Words may differ where a wire is between.
fn heard_as(error: HostError) -> String {
    let name = match &error {
        HostError::NotAllowed { topic, allowed } => format!("not allowed: {topic}, {allowed:?}"),
        HostError::Payload { .. } => "payload".to_owned(),
        HostError::CredentialsMissing { channel, .. } => format!("missing: {channel}"),
        HostError::Rejected { call, code, .. } => format!("rejected: {call}, {code}"),
        other => format!("{other:?}"),
    };
    format!("{name} ({})", PollerError::from(error).class().as_str())
}

struct Model;

#[async_trait]
impl LlmProvider for Model {
    async fn invoke(&self, _: &TickIdentity, request: LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        Ok(answer(&request))
    }
}

fn answer(request: &LlmInvokeRequest) -> LlmInvokeResponse {
    LlmInvokeResponse::new(format!("{} to you", request.messages[0].content), request.model.clone())
}

/// Topic, payload and id of what has gone out.
type Sent = Vec<(String, Value, String)>;

async fn through_the_mock() -> (Vec<String>, Sent) {
    let poller = Asks::default();
    let mut job = JobTest::new(poller.clone()).agent("ana").id("job");
    job.host().credentials("telegram", json!({"account_id": "bot"})).llm(|request| Ok(answer(request)));
    job.tick().await;
    let sent = job.host().published().into_iter().map(|message| (message.topic, message.payload, message.id)).collect();
    (poller.0.lock().unwrap().clone(), sent)
}

fn daemons_host(broker: &LocalBroker) -> InProcessHost {
    let account = json!({"account_id": "bot"}).as_object().unwrap().clone();
    let credentials = StaticCredentials::new().with("ana", "telegram", account);
    let services = HostServices::new(Arc::new(broker.clone()), Arc::new(credentials)).with_llm(Arc::new(Model));
    InProcessHost::new(services, identity())
}

fn identity() -> TickIdentity {
    TickIdentity::new("asks", "job", "ana")
}

fn context(host: Arc<dyn PollerHost>) -> PollContext {
    PollContext::new("asks", "job", "ana", host)
}

async fn sent(listener: &mut nexo_poller::broker::Subscription) -> Sent {
    let mut sent = Vec::new();
    while let Ok(Some(delivery)) = tokio::time::timeout(Duration::ZERO, listener.next()).await {
        let event = &delivery.event;
        sent.push((event.topic.clone(), event.payload.clone(), event.id.clone()));
    }
    sent
}

async fn in_the_daemon() -> (Vec<String>, Sent) {
    let (broker, poller) = (LocalBroker::new(), Asks::default());
    let mut listener = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let allowed = PollerHandler::new().with(Asks::default()).manifest().unwrap().plugin.capabilities.broker.publish;
    let mut tick = AuthorTick::new(Arc::new(poller.clone()), identity(), json!({}), Utc::now());
    tick.publish = PublishList::of(allowed);
    let host: Arc<dyn PollerHost> = Arc::new(daemons_host(&broker));
    tick.run(TickGate::new(CancellationToken::new()), |_| host).await.unwrap().unwrap();
    let heard = poller.0.lock().unwrap().clone();
    (heard, sent(&mut listener).await)
}

/// As a plugin on the broker: its host asks the daemon, which answers through its own.
async fn in_a_plugin() -> (Vec<String>, Sent) {
    let (broker, poller) = (LocalBroker::new(), Asks::default());
    let mut listener = broker.subscribe("plugin.outbound.>", None).await.unwrap();
    let handler = PollerHandler::new().with(poller.clone());
    let manifest = handler.manifest().unwrap();
    let ticks = Arc::new(handler.ticks(tokio::runtime::Handle::current(), TickGrace::default()));
    let server = TickServer::new(Arc::new(broker.clone()), ticks, &manifest);
    tokio::spawn(async move { server.serve(std::future::pending()).await });
    let router = PluginPollerRouter::new(Arc::new(broker.clone()));
    let kinds = router.register_remote(&manifest).unwrap();
    tokio::spawn(serve_calls(Arc::new(broker.clone()), router.in_flight(), "asks".to_owned()));
    while !broker.has_listeners("plugin.poller.asks.tick") || !broker.has_listeners("daemon.rpc.asks") {
        tokio::task::yield_now().await;
    }
    kinds[0].poller.tick(&context(Arc::new(daemons_host(&broker)))).await.unwrap();
    let heard = poller.0.lock().unwrap().clone();
    (heard, sent(&mut listener).await)
}

#[tokio::test]
async fn three_hosts_answer_alike_and_send_the_same() {
    let (mock, mock_sent) = through_the_mock().await;
    assert_eq!(mock.len(), 12, "{mock:#?}");
    for (place, (heard, sent)) in [("in the daemon", in_the_daemon().await), ("in a plugin", in_a_plugin().await)] {
        assert_eq!(heard, mock, "{place}");
        assert_eq!(sent, mock_sent, "{place}");
    }
    assert_eq!(mock_sent.len(), 2);
    assert_ne!(mock_sent[0].2, mock_sent[1].2, "two messages are two, whatever they say");
}
