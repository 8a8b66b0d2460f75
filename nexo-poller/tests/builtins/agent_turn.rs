use nexo_poller::builtins::AgentTurn;
use nexo_poller::prelude::*;
use nexo_poller_testkit::{Fault, JobTest, Method};

const TOPIC: &str = "plugin.outbound.telegram.bot";

fn config() -> Value {
    json!({
        "llm": {"provider": "claude", "model": "m-1"},
        "system_prompt": "You are brief.",
        "user_prompt": "What is on today?",
        "language": "Spanish",
        "max_tokens": 100,
        "deliver": {"channel": "telegram", "to": "42"},
    })
}

fn without(keys: &[&str]) -> Value {
    let Value::Object(config) = config() else { return Value::Null };
    config.into_iter().filter(|(key, _)| !keys.contains(&key.as_str())).collect::<serde_json::Map<_, _>>().into()
}

fn job(config: Value) -> JobTest {
    let job = JobTest::new(AgentTurn).config(config);
    job.host().credentials("telegram", json!({"account_id": "bot"}));
    job
}

#[tokio::test]
async fn the_model_is_asked_as_the_config_says_and_its_answer_is_delivered() {
    let mut job = job(config());
    job.host().llm_answers([" Nada.\n", "Nada."]);
    assert_eq!(job.tick().await.metrics.unwrap().items_dispatched, 1);
    job.tick().await;
    // The same words on another day are another message.
    let published = job.host().published();
    job.host().assert_published(TOPIC).texts(["Nada.", "Nada."]);
    assert_ne!(published[0].id, published[1].id);
    let asked = job.host().llm_requests().remove(0);
    let said: Vec<_> = asked.messages.iter().map(|message| (message.role.as_str(), message.content.as_str())).collect();
    assert_eq!(
        said,
        [("system", "You are brief.\n\nAnswer in this language: Spanish."), ("user", "What is on today?")]
    );
    assert_eq!((asked.provider.as_str(), asked.model.as_str(), asked.max_tokens), ("claude", "m-1", Some(100)));
}

#[tokio::test]
async fn without_a_system_prompt_and_a_language_there_is_no_system_message() {
    let mut job = job(without(&["system_prompt", "language"]));
    job.host().llm_answers(["x"]);
    job.tick().await;
    let asked = job.host().llm_requests().remove(0);
    assert_eq!(asked.messages.iter().map(|message| message.role.as_str()).collect::<Vec<_>>(), ["user"]);
}

#[tokio::test]
async fn an_empty_answer_is_delivered_to_nobody() {
    let mut job = job(config());
    job.host().llm_answers([" \n "]);
    let metrics = job.tick().await.metrics.unwrap();
    assert_eq!((metrics.items_seen, metrics.items_dispatched), (1, 0));
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn an_error_of_the_host_keeps_its_class_and_tells_nobody() {
    let error =
        HostError::RateLimited { reason: "slow down".into(), retry_after: Some(std::time::Duration::from_secs(90)) };
    let mut job = job(config());
    job.host().fault(Fault::on(Method::Llm).fails(error));
    assert_eq!(job.tick_expect_transient().await.retry_after(), Some(std::time::Duration::from_secs(90)));
    job.host().assert_nothing_published();
}

#[tokio::test]
async fn a_wrong_config_is_refused_when_the_job_is_loaded_and_names_the_field() {
    let mut empty = config();
    empty["user_prompt"] = json!("  ");
    let mut zero = config();
    zero["max_tokens"] = json!(0);
    let mut typo = config();
    typo["llm"]["modle"] = json!("x");
    for (config, field) in [
        (without(&["user_prompt"]), "user_prompt"),
        (without(&["llm"]), "llm"),
        (without(&["deliver"]), "deliver"),
        (empty, "user_prompt"),
        (zero, "max_tokens"),
        (typo, "modle"),
    ] {
        let error = AgentTurn.validate(&config).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
