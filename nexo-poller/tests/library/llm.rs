//! The registry of language models against a real HTTP server that answers as each provider does.
#![expect(clippy::unwrap_used, reason = "in a test a failure is the report")]

use std::time::Duration;

use nexo_poller::contract::{ErrorClass, LlmInvokeRequest, LlmInvokeResponse, LlmMessage, LlmUsage, TickIdentity};
use nexo_poller::host::{LlmApi, LlmProvider as _, LlmRegistry, LlmSettings};
use nexo_poller::prelude::*;
use nexo_poller_testkit::http::{Exchange, HttpReplay, Recording};

const KEY: &str = "sk-hunter2-hunter2";

fn completion(content: &str) -> Value {
    json!({
        "id": "c1", "object": "chat.completion", "model": "m-1-2026",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    })
}

fn server(answer: Exchange) -> HttpReplay {
    HttpReplay::of(Recording::from([answer]))
}

fn openai(server: &HttpReplay) -> LlmSettings {
    LlmSettings::new(LlmApi::OpenAi).with_base_url(&server.url("/v1")).with_api_key(KEY)
}

fn registry(settings: LlmSettings) -> LlmRegistry {
    let registry = LlmRegistry::default();
    registry.replace([("model".to_owned(), settings)].into()).unwrap();
    registry
}

fn request() -> LlmInvokeRequest {
    let messages = vec![LlmMessage::system("Be brief."), LlmMessage::user("Hello")];
    LlmInvokeRequest::new("model", "m-1", messages).max_tokens(50)
}

async fn ask(registry: &LlmRegistry, job: &str) -> Result<LlmInvokeResponse, HostError> {
    registry.invoke(&TickIdentity::new("agent_turn", job, "ana"), request()).await
}

fn metrics(registry: &LlmRegistry) -> String {
    let mut text = String::new();
    registry.write_metrics(&mut text);
    text
}

#[tokio::test]
async fn a_server_that_speaks_as_openai_does_is_asked_with_the_key_and_its_usage_is_counted() {
    let server = server(Exchange::post("/v1/chat/completions").json(&completion("Hi.")));
    let registry = registry(openai(&server));
    let answer = ask(&registry, "a").await.unwrap();
    assert_eq!(answer, LlmInvokeResponse::new("Hi.", "m-1-2026").usage(LlmUsage::new(12, 3)));
    assert_eq!(server.asked_header("authorization"), [Some(format!("Bearer {KEY}"))]);
    let body = server.asked().remove(0).body.unwrap();
    assert_eq!(body["model"], "m-1");
    assert_eq!(body["messages"][1], json!({"role": "user", "content": "Hello"}));
    let text = metrics(&registry);
    for line in [
        "poller_llm_calls_total{provider=\"model\",outcome=\"ok\"} 1",
        "poller_llm_tokens_total{provider=\"model\",direction=\"input\"} 12",
        "poller_llm_tokens_total{provider=\"model\",direction=\"output\"} 3",
    ] {
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn anthropic_gemini_and_ollama_are_asked_in_their_own_words() {
    let anthropic = json!({
        "id": "m", "type": "message", "role": "assistant", "model": "m-1", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "Hi."}], "usage": {"input_tokens": 12, "output_tokens": 3},
    });
    let gemini = json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 3, "totalTokenCount": 15}, "modelVersion": "m-1",
    });
    let ollama = json!({
        "model": "m-1", "message": {"role": "assistant", "content": "Hi."}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 12, "eval_count": 3,
    });
    for (api, path, body, header) in [
        (LlmApi::Anthropic, "/v1/messages", anthropic, Some("x-api-key")),
        (LlmApi::Gemini, "/v1/models/m-1:generateContent", gemini, Some("x-goog-api-key")),
        (LlmApi::Ollama, "/v1/api/chat", ollama, None),
    ] {
        let server = server(Exchange::post(path).json(&body));
        let settings = LlmSettings::new(api).with_base_url(&server.url("/v1")).with_api_key(KEY);
        let answer = ask(&registry(settings), "a").await;
        let asked = server.asked();
        let answer = answer.unwrap_or_else(|error| panic!("{api}: {error}; asked was {asked:?}"));
        assert_eq!(answer.content, "Hi.", "{api}");
        assert_eq!(answer.usage, Some(LlmUsage::new(12, 3)), "{api}");
        if let Some(header) = header {
            assert_eq!(server.asked_header(header), [Some(KEY.to_owned())], "{api}");
        }
    }
}

#[tokio::test]
async fn each_status_has_its_class_and_neither_key_nor_address_is_told() {
    let echo = json!({"error": {"message": format!("the key {KEY} may not do this"), "type": "invalid_request_error"}});
    for (status, class, said) in [
        (401, ErrorClass::Permanent, "check its `api_key`"),
        (403, ErrorClass::Permanent, "refused the key"),
        (404, ErrorClass::Config, "has no model `m-1`"),
        (400, ErrorClass::Permanent, "the key (secret hidden) may not do this"),
        (302, ErrorClass::Permanent, "HTTP status 302"),
        (429, ErrorClass::Transient, "is over its limit"),
        (503, ErrorClass::Transient, "is in trouble"),
    ] {
        let server =
            server(Exchange::post("/v1/chat/completions").status(status).header("retry-after", "90").json(&echo));
        let error = ask(&registry(openai(&server)), "a").await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.class(), class, "{status}: {text}");
        assert!(text.contains("`model`") && text.contains(said), "{status}: {text}");
        assert!(!text.contains("hunter2") && !text.contains("127.0.0.1"), "{status}: {text}");
        if class == ErrorClass::Transient {
            assert_eq!(PollerError::from(error).retry_after(), Some(Duration::from_secs(90)));
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_none_and_a_server_that_is_away_may_be_better_later() {
    for body in ["<html>hunter2", "{\"hunter2\": true}", ""] {
        let server = server(Exchange::post("/v1/chat/completions").header("content-type", "text/html").text(body));
        let error = ask(&registry(openai(&server)), "a").await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Transient, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let nobody = LlmSettings::new(LlmApi::OpenAi).with_base_url("http://127.0.0.1:1/v1/").with_api_key(KEY);
    let registry = registry(nobody);
    let error = ask(&registry, "a").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Transient, "{error}");
    assert!(
        error.to_string().contains("`model` cannot be reached") && !error.to_string().contains("127.0.0.1"),
        "{error}"
    );
    assert!(metrics(&registry).contains("outcome=\"transient\"} 1"));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_a_transient_error() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/", silent.local_addr().unwrap());
    let settings = LlmSettings::new(LlmApi::OpenAi).with_base_url(&url).with_timeout(Duration::from_millis(200));
    let error = ask(&registry(settings), "a").await.unwrap_err();
    assert!(matches!(error, HostError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_provider_is_a_config_error_that_names_the_known_ones() {
    let server = server(Exchange::post("/v1/chat/completions").json(&completion("Hi.")));
    let registry = registry(openai(&server));
    registry.replace([("claude".to_owned(), openai(&server)), ("local".to_owned(), openai(&server))].into()).unwrap();
    let error = ask(&registry, "a").await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Config);
    assert!(error.to_string().contains("no LLM provider `model`: known are claude, local"), "{error}");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_job_over_its_budget_is_not_asked_for_until_midnight_and_others_are() {
    let server = server(Exchange::post("/v1/chat/completions").json(&completion("Hi.")));
    let registry = registry(openai(&server).with_tokens_per_job_per_day(20));
    ask(&registry, "a").await.unwrap();
    // Five of twenty are left: the model is not let go over them.
    ask(&registry, "a").await.unwrap();
    let body = server.asked().remove(1).body.unwrap();
    let most = body.get("max_tokens").or_else(|| body.get("max_completion_tokens"));
    assert_eq!(most, Some(&json!(5)));
    let error = ask(&registry, "a").await.unwrap_err();
    let HostError::RateLimited { reason, retry_after } = &error else { panic!("{error}") };
    assert!(reason.contains("job `a` has used its 20 tokens of today"), "{reason}");
    assert!(retry_after.is_some_and(|after| after <= Duration::from_secs(86_400)));
    assert_eq!(server.asked().len(), 2);
    ask(&registry, "b").await.unwrap();
}

#[tokio::test]
async fn an_answer_that_no_message_could_carry_is_refused_with_its_size_and_counted() {
    for (size, fits) in [(512 * 1024, true), (512 * 1024 + 1, false)] {
        let server = server(Exchange::post("/v1/chat/completions").json(&completion(&"x".repeat(size))));
        let registry = registry(openai(&server));
        let answer = ask(&registry, "a").await;
        assert_eq!(answer.is_ok(), fits, "{size}");
        if let Err(error) = answer {
            assert_eq!(error.class(), ErrorClass::Permanent);
            assert!(error.to_string().contains("answered 524289 bytes, over the limit of 524288"), "{error}");
        }
        assert!(metrics(&registry).contains("direction=\"output\"} 3"));
    }
}

#[test]
fn settings_show_no_key() {
    let shown = format!("{:?}", LlmSettings::new(LlmApi::OpenAi).with_api_key(KEY));
    assert!(shown.contains("has_key: true") && !shown.contains("hunter2"), "{shown}");
}
