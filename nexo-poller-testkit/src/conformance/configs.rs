use nexo_poller::contract::ErrorClass;
use nexo_poller::manifest::DeclaredPoller;
use serde_json::Value;

use super::mismatch::{Found, Mismatch, outcome};
use super::{Suite, World};

pub(super) async fn good<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    let own = W::empty().await.config();
    let schema = P::config_schema().map(Value::from);
    let schema = schema.as_ref().map(jsonschema::validator_for).transpose();
    let schema = schema.map_err(|error| Mismatch::new("a valid JSON Schema of the config", error))?;
    for config in suite.good.iter().chain([&own]) {
        P::default()
            .validate(config)
            .map_err(|error| Mismatch::new(format!("{config} to be accepted"), outcome(&Err(error))))?;
        if let Some(Err(error)) = schema.as_ref().map(|schema| schema.validate(config)) {
            let place = error.instance_path().to_string();
            let expected = format!("the JSON Schema to accept {config}, as the poller does");
            return Err(Mismatch::new(expected, format!("at `{place}`: {error}")));
        }
    }
    Ok(())
}

pub(super) async fn bad<P: DeclaredPoller + Default, W: World>(suite: &Suite<P, W>) -> Found {
    if suite.bad.is_empty() {
        return Err(Mismatch::new("at least one bad config to try", "none was given"));
    }
    for (config, field) in &suite.bad {
        let expected = format!("{config} to be refused as a config error that names `{field}`");
        match P::default().validate(config) {
            Err(error) if error.class() == ErrorClass::Config && error.to_string().contains(field.as_str()) => {}
            refused => {
                return Err(Mismatch::new(expected, outcome(&refused.map(|()| nexo_poller::contract::TickAck::new()))));
            }
        }
    }
    Ok(())
}
