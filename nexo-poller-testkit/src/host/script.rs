use std::collections::{HashMap, VecDeque};

use nexo_poller::contract::{HostError, LlmInvokeRequest, LlmInvokeResponse};
use nexo_poller::wire::code;
use serde_json::{Value, json};

type LlmClosure = Box<dyn FnMut(&LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> + Send>;

/// What the host answers when it is asked for something.
#[derive(Default)]
pub(super) struct Script {
    credentials: HashMap<String, Credentials>,
    llm: Llm,
}

struct Credentials {
    answer: Result<Value, HostError>,
    /// Calls that are still answered; `None`: all.
    calls_left: Option<u64>,
}

#[derive(Default)]
enum Llm {
    #[default]
    None,
    Answers(VecDeque<String>),
    Closure(LlmClosure),
}

impl Script {
    pub(super) fn set_credentials(&mut self, channel: &str, answer: Result<Value, HostError>, calls: Option<u64>) {
        self.credentials.insert(channel.to_owned(), Credentials { answer, calls_left: calls });
    }

    pub(super) fn set_llm_answers(&mut self, answers: VecDeque<String>) {
        self.llm = Llm::Answers(answers);
    }

    pub(super) fn set_llm(&mut self, closure: LlmClosure) {
        self.llm = Llm::Closure(closure);
    }

    /// The daemon's answer: whatever was scripted, with the channel and the agent named.
    pub(super) fn credentials(&mut self, channel: &str, agent_id: &str) -> Result<Value, HostError> {
        let missing = |reason: &str| {
            Err(HostError::CredentialsMissing { channel: channel.to_owned(), reason: reason.to_owned() })
        };
        let Some(entry) = self.credentials.get_mut(channel) else {
            return if channel == "console" {
                // Built into the daemon, for every agent.
                Ok(json!({"channel": "console", "agent_id": agent_id, "account_id": "console"}))
            } else {
                missing("the test scripted none (MockPollerHost::credentials)")
            };
        };
        match &mut entry.calls_left {
            Some(0) => return missing("they have expired"),
            Some(left) => *left -= 1,
            None => {}
        }
        let mut answer = entry.answer.clone()?;
        if let Some(fields) = answer.as_object_mut() {
            fields.entry("channel").or_insert_with(|| channel.into());
            fields.entry("agent_id").or_insert_with(|| agent_id.into());
        }
        Ok(answer)
    }

    pub(super) fn llm(&mut self, request: &LlmInvokeRequest) -> Result<LlmInvokeResponse, HostError> {
        let refused = |message: &str| {
            Err(HostError::Rejected {
                call: "llm_invoke".to_owned(),
                code: code::PERMANENT,
                message: message.to_owned(),
            })
        };
        match &mut self.llm {
            Llm::None => refused("the test scripted no model (MockPollerHost::llm_answers or MockPollerHost::llm)"),
            Llm::Answers(answers) => match answers.pop_front() {
                Some(content) => Ok(LlmInvokeResponse::new(content, request.model.clone())),
                None => refused("the test's scripted answers are used up"),
            },
            Llm::Closure(closure) => closure(request),
        }
    }
}
