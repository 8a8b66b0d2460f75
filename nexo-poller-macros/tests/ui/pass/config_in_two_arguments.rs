use nexo_poller::manifest::DeclaredPoller;
use nexo_poller::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct A {
    #[serde(rename = "a")]
    _a: u8,
}

#[derive(Deserialize, JsonSchema)]
struct B {
    #[serde(rename = "b")]
    _b: u8,
}

#[poller(kind = "jira", main = false)]
async fn jira(_a: Config<A>, _b: Config<B>) -> Result<TickAck, PollerError> {
    Ok(TickAck::new())
}

fn main() {
    let schema = Jira::config_schema().unwrap().to_value();
    assert_eq!(schema["allOf"].as_array().unwrap().len(), 2);
    assert_ne!(schema["allOf"][0]["$id"], schema["allOf"][1]["$id"]);
    assert!(Jira.validate(&json!({"a": 1, "b": 2})).is_ok());
    assert!(Jira.validate(&json!({"a": 1})).is_err());
}
