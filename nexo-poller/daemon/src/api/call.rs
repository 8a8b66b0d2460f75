use std::collections::BTreeMap;
use std::sync::Arc;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{self, MethodRouter};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::access::{Access, AccessTable, Rule};
use crate::core::daemon::Daemon;

/// One call of the server: what answers it, what a caller must show for it, and what its description says. All three come from
/// here, so that they agree.
pub(super) struct Call {
    method: Method,
    path: &'static str,
    rule: Rule,
    summary: &'static str,
    query: Option<ToSchema>,
    body: Option<(ToSchema, bool)>,
    answer: Answer,
    route: MethodRouter<Arc<Daemon>>,
}

type ToSchema = fn(&mut SchemaGenerator) -> Schema;

enum Answer {
    Json(ToSchema),
    /// Text of this media type.
    Text(&'static str),
    /// A file of the page, which is not part of the API and not described.
    File,
}

/// What every refusal says.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is of interest; the answer itself is written by hand")]
struct Refused {
    /// A sentence: what is wrong, and what to do.
    error: String,
}

impl Call {
    /// A GET of `path`, which `handler` answers with an `A`.
    pub(super) fn get<A: JsonSchema, H, T>(
        path: &'static str,
        access: Access,
        handler: H,
        summary: &'static str,
    ) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        let answer = Answer::Json(SchemaGenerator::subschema_for::<A>);
        Self::new(Method::GET, path, access, summary, routing::get(handler), answer)
    }

    /// A POST, which needs [`Access::Write`].
    pub(super) fn post<A: JsonSchema, H, T>(path: &'static str, handler: H, summary: &'static str) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        let answer = Answer::Json(SchemaGenerator::subschema_for::<A>);
        Self::new(Method::POST, path, Access::Write, summary, routing::post(handler), answer)
    }

    /// A PUT, which needs [`Access::Write`].
    pub(super) fn put<A: JsonSchema, H, T>(path: &'static str, handler: H, summary: &'static str) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        let answer = Answer::Json(SchemaGenerator::subschema_for::<A>);
        Self::new(Method::PUT, path, Access::Write, summary, routing::put(handler), answer)
    }

    /// A GET that is answered with text of the type `media`.
    pub(super) fn text<H, T>(
        path: &'static str,
        access: Access,
        media: &'static str,
        handler: H,
        summary: &'static str,
    ) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        Self::new(Method::GET, path, access, summary, routing::get(handler), Answer::Text(media))
    }

    /// A file of the page. It holds nothing, so anyone may have it.
    pub(super) fn file<H, T>(path: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        Self::new(Method::GET, path, Access::Public, "", routing::get(handler), Answer::File).with_any_token()
    }

    fn new(
        method: Method,
        path: &'static str,
        access: Access,
        summary: &'static str,
        route: MethodRouter<Arc<Daemon>>,
        answer: Answer,
    ) -> Self {
        let rule = Rule { access, any_token: false };
        Self { method, path, rule, summary, query: None, body: None, answer, route }
    }

    /// Its callers have no notion of a daemon's token: one that they show belongs to something else, and refuses nothing.
    pub(super) fn with_any_token(mut self) -> Self {
        self.rule.any_token = true;
        self
    }

    /// A GET of its path is another call's, whose template it would hide.
    pub(super) fn beside<H, T>(mut self, get: H) -> Self
    where
        H: Handler<T, Arc<Daemon>>,
        T: 'static,
    {
        self.route = self.route.get(get);
        self
    }

    /// It takes the fields of `Q` in its query.
    pub(super) fn query<Q: JsonSchema>(mut self) -> Self {
        self.query = Some(Q::json_schema);
        self
    }

    /// It needs a `B` as its body.
    pub(super) fn body<B: JsonSchema>(mut self) -> Self {
        self.body = Some((SchemaGenerator::subschema_for::<B>, true));
        self
    }

    /// It takes a `B` as its body, or none.
    pub(super) fn optional_body<B: JsonSchema>(mut self) -> Self {
        self.body = Some((SchemaGenerator::subschema_for::<B>, false));
        self
    }

    /// What it asks of its callers.
    pub(super) fn rule(&self) -> (Method, &'static str, Rule) {
        (self.method.clone(), self.path, self.rule)
    }

    /// What its description says; `None` where it has none.
    fn operation(&self, generator: &mut SchemaGenerator) -> Option<Value> {
        let content = match &self.answer {
            Answer::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
            Answer::Text(media) => json!({ *media: { "schema": { "type": "string" } } }),
            Answer::File => return None,
        };
        let mut operation = json!({
            "summary": self.summary,
            "responses": {
                "200": { "description": "Done.", "content": content },
                "default": { "description": "Refused.", "content": {
                    "application/json": { "schema": generator.subschema_for::<Refused>() },
                } },
            },
        });
        let mut parameters: Vec<Value> = named_in(self.path)
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        if let Some(query) = self.query {
            parameters.extend(fields_of(&query(generator)));
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some((body, required)) = self.body {
            let schema = body(generator);
            operation["requestBody"] =
                json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        }
        if self.rule.access.needs_token_here() {
            operation["security"] = json!([{ "token": [] }]);
        }
        Some(operation)
    }
}

/// What the calls ask of their callers.
pub(super) fn access(calls: &[Call]) -> AccessTable {
    calls.iter().map(Call::rule).collect()
}

/// The calls as routes.
pub(super) fn routes(calls: Vec<Call>) -> axum::Router<Arc<Daemon>> {
    calls.into_iter().fold(axum::Router::new(), |routes, call| routes.route(call.path, call.route))
}

/// The calls as an `OpenAPI` 3.1 document.
pub(super) fn description(calls: &[Call]) -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for call in calls {
        if let Some(operation) = call.operation(&mut generator) {
            paths.entry(call.path).or_default().insert(call.method.as_str().to_lowercase(), operation);
        }
    }
    let info = json!({
        "title": "nexo-poller's admin API",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "On the daemon's own machine, calls that name no security need no token; from elsewhere all but the \
            probes do.",
    });
    let token = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "The content of the file `admin.token` beside the state; from elsewhere, the token that the daemon was \
            given.",
    });
    let components = json!({ "schemas": generator.take_definitions(true), "securitySchemes": { "token": token } });
    let parts = [("openapi", json!("3.1.0")), ("info", info), ("paths", json!(paths)), ("components", components)];
    parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect()
}

/// The parameters in `path`: `{id}`.
fn named_in(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// The fields of an object, as parameters of a query.
fn fields_of(schema: &Schema) -> Vec<Value> {
    let required = |name: &str| {
        let names = schema.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
    fields.map(parameter).collect()
}
