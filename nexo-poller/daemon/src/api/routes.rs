use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use nexo_poller::runner::{JobStatus, TickReport};
use serde_json::{Map, Value};

use super::access::{Access, AccessTable};
use super::answer_headers::with_headers;
use super::call::{self, Call};
use super::cursors::{self, CursorAnswer};
use super::events;
use super::greeting::{self, Hello};
use super::guard::Guard;
use super::health::{self, Health, PluginLog, PluginsAnswer, Ready};
use super::hello::{self, HelloQuery};
use super::jobs::{self, Count, Done, Firings, Ids, PauseOrder, ReloadAnswer, ReloadQuery, Ticks, TicksOfJobs};
use super::listing::{ListAnswer, ListQuery};
use super::places::Place;
use super::refusal::Refusal;
use crate::core::cursor_view::CursorOrder;
use crate::core::daemon::Daemon;
use crate::core::dry_run::DryRun;
use crate::page;

/// No call carries more than a reason, but the one that sets a cursor, which has a limit of its own.
const BODY_LIMIT: usize = 64 * 1024;

/// Every call of the server.
fn calls() -> Vec<Call> {
    vec![
        Call::get::<ListAnswer, _, _>(
            "/admin/pollers",
            Access::Read,
            jobs::list,
            "List the jobs, filtered, page by page.",
        )
        .query::<ListQuery>(),
        Call::post::<ReloadAnswer, _, _>(
            "/admin/pollers/reload",
            jobs::reload,
            "Read the files again and apply what changed.",
        )
        .query::<ReloadQuery>()
        .beside(jobs::show_reload),
        Call::get::<JobStatus, _, _>(
            "/admin/pollers/{id}",
            Access::Read,
            jobs::show,
            "One job: its state, when it runs next, and why it is not running.",
        ),
        Call::get::<Firings, _, _>("/admin/pollers/{id}/next", Access::Read, jobs::next, "Its next runs.")
            .query::<Count>(),
        Call::post::<TickReport, _, _>(
            "/admin/pollers/{id}/run",
            jobs::run,
            "Run one tick now; the answer is its outcome.",
        ),
        Call::post::<Done, _, _>(
            "/admin/pollers/{id}/pause",
            jobs::pause,
            "Pause it until it is resumed; the pause survives restarts.",
        )
        .optional_body::<PauseOrder>(),
        Call::post::<Done, _, _>("/admin/pollers/{id}/resume", jobs::resume, "Resume it; it keeps its cursor."),
        Call::post::<Done, _, _>(
            "/admin/pollers/{id}/reset",
            jobs::reset,
            "Remove its cursor, errors and pause; the cursor can be restored.",
        ),
        Call::post::<DryRun, _, _>(
            "/admin/pollers/{id}/dry-run",
            cursors::dry_run,
            "Run one tick without publishing or saving anything: what it would have published, and its next cursor.",
        ),
        Call::get::<CursorAnswer, _, _>(
            "/admin/pollers/{id}/cursor",
            Access::Secret,
            cursors::cursor,
            "The cursor from which its next tick resumes.",
        ),
        Call::put::<CursorAnswer, _, _>(
            "/admin/pollers/{id}/cursor",
            cursors::set_cursor,
            "Set, remove or restore its cursor.",
        )
        .body::<CursorOrder>(),
        Call::get::<Ticks, _, _>(
            "/admin/pollers/{id}/ticks",
            Access::Read,
            jobs::ticks,
            "Its last ticks, oldest first, since the daemon started.",
        ),
        Call::get::<TicksOfJobs, _, _>("/admin/ticks", Access::Read, jobs::all_ticks, "The last ticks of many jobs.")
            .query::<Ids>(),
        Call::text(
            "/admin/events",
            Access::Read,
            "text/event-stream",
            events::events,
            "Events of jobs as they happen.",
        ),
        Call::get::<PluginsAnswer, _, _>(
            "/admin/plugins",
            Access::Read,
            health::plugins,
            "The plugins and their states.",
        ),
        Call::get::<PluginLog, _, _>(
            "/admin/plugins/{id}/log",
            Access::Secret,
            health::plugin_log,
            "The last lines that a plugin wrote to stderr.",
        ),
        Call::get::<Hello, _, _>(
            greeting::PATH,
            Access::Public,
            hello::hello,
            "Prove that this daemon knows the token, before it is shown anything.",
        )
        .query::<HelloQuery>(),
        Call::get::<Map<String, Value>, _, _>("/admin/openapi.json", Access::Read, openapi, "This description."),
        Call::text("/metrics", Access::Read, health::METRICS, health::metrics, "Metrics in the OpenMetrics format.")
            .with_any_token(),
        Call::get::<Health, _, _>("/healthz", Access::Public, health::health, "Whether the daemon is alive.")
            .with_any_token(),
        Call::get::<Ready, _, _>(
            "/readyz",
            Access::Public,
            health::ready,
            "Whether the daemon is ready: 200, or 503 with the reasons.",
        ),
        Call::file("/", page::index),
        Call::file("/page.css", page::style),
        Call::file("/page.js", page::script),
    ]
}

/// The server's routes behind its guard.
pub(super) fn router(daemon: Arc<Daemon>, guard: Guard) -> Router {
    let access = Arc::new(call::access(&calls()));
    let mut routes = call::routes(calls()).fallback(nothing_here).layer(DefaultBodyLimit::max(BODY_LIMIT));
    if let Some(greeter) = guard.greeter() {
        routes = routes.layer(Extension(greeter));
    }
    // The guard stands around the routes, not in them: what it refuses was never looked up.
    Router::new()
        .fallback_service(routes.with_state(daemon))
        .layer(middleware::from_fn(to_its_end))
        .layer(middleware::from_fn_with_state((guard, access), admit))
        .layer(middleware::map_response(with_headers))
}

async fn openapi() -> Json<Map<String, Value>> {
    Json(call::description(&calls()))
}

async fn admit(State((guard, access)): State<(Guard, Arc<AccessTable>)>, mut request: Request, next: Next) -> Response {
    match guard.admit(request.method(), request.uri().path(), request.headers(), &access) {
        Ok(()) => {
            let caller = guard.caller(request.headers());
            // Taken out: a call may go on for longer than its connection.
            if let Some(place) = request.extensions_mut().remove::<Arc<Place>>()
                && caller.holds_token
            {
                place.holds_token();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err((status, sentence)) => Refusal(status, sentence.to_owned()).into_response(),
    }
}

/// A call that changes something goes on to its end, also where its caller has hung up: half of it may be worse than none.
async fn to_its_end(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    tokio::spawn(next.run(request)).await.unwrap_or_else(|_| {
        let sentence = "the call broke off inside the daemon; its log says where";
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, sentence.to_owned()).into_response()
    })
}

async fn nothing_here() -> Refusal {
    Refusal(
        StatusCode::NOT_FOUND,
        "nothing here; look at /admin/pollers, /admin/plugins, /metrics, /healthz, /readyz".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::*;
    use crate::api::token::AdminToken;

    #[test]
    fn each_route_needs_what_it_declares_and_nothing_because_of_another_one() {
        let access = call::access(&calls());
        for (method, path, rule) in calls().iter().map(Call::rule) {
            assert_eq!(access.rule(&method, &path.replace("{id}", "reload")), rule, "{method} {path}");
        }
    }

    #[test]
    fn a_token_of_another_daemon_gets_no_answer_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let token = AdminToken::load_or_make(dir.path()).unwrap();
        let guard = Guard::local("127.0.0.1:9091".parse().unwrap(), token);
        let access = call::access(&calls());
        let asked = |path: &str, token: &'static str| {
            let headers = [
                (header::HOST, HeaderValue::from_static("127.0.0.1:9091")),
                (header::AUTHORIZATION, HeaderValue::from_static(token)),
            ];
            guard
                .admit(&Method::GET, path, &headers.into_iter().collect(), &access)
                .map_err(|(status, _)| status.as_u16())
        };
        for path in ["/admin/pollers", "/readyz"] {
            assert_eq!(asked(path, "Bearer of-another"), Err(401), "{path}");
        }
        // What has no notion of a daemon's token shows that of its own world.
        for path in ["/metrics", "/healthz", "/"] {
            assert_eq!(asked(path, "Bearer of-another"), Ok(()), "{path}");
        }
    }

    #[test]
    fn from_outside_everything_but_the_empty_page_and_the_probes_needs_the_token() {
        let token = "0123456789abcdef0123456789abcdef";
        let guard = Guard::remote(AdminToken::given(token).unwrap(), ["polls.example".to_owned()].as_slice().into());
        let access = call::access(&calls());
        let asked = |method: &Method, path: &str, host: &str, token: Option<&str>| {
            let mut headers: HeaderMap = [(header::HOST, HeaderValue::from_str(host).unwrap())].into_iter().collect();
            if let Some(token) = token {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
            }
            guard.admit(method, path, &headers, &access).map_err(|(status, _)| status.as_u16())
        };
        for host in ["polls.example", "POLLS.example:9091", "polls.example:443", "10.1.2.3:80", "[fd00::7]:9091"] {
            assert_eq!(asked(&Method::GET, "/admin/pollers", host, Some(token)), Ok(()), "{host}");
            for path in ["/admin/pollers", "/metrics", "/admin/events", "/admin/openapi.json", "/other"] {
                assert_eq!(asked(&Method::GET, path, host, None), Err(401), "{path}");
                assert_eq!(asked(&Method::GET, path, host, Some("wrong")), Err(401), "{path}");
            }
            for path in ["/", "/page.js", "/page.css", "/healthz", "/readyz"] {
                assert_eq!(asked(&Method::GET, path, host, None), Ok(()), "{path}");
                assert_eq!(asked(&Method::POST, path, host, None), Err(401), "{path}");
            }
        }
        for host in ["evil.example", "localhost", "polls.example.evil.example", "", "x.polls.example:9091"] {
            assert_eq!(asked(&Method::GET, "/", host, Some(token)), Err(421), "{host:?}");
        }
        assert!(AdminToken::given("short").is_none());
    }
}
