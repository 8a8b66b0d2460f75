use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use ureq::Agent;
use ureq::http::Request;

use super::Scrub;
use super::recording::{Answer, Exchange, Recording, body_of, bytes_of};
use super::replay::{asked_of, headers_of};

/// Headers of one connection, not of a message.
const HOP_BY_HOP: [&str; 7] =
    ["connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "content-encoding"];

/// A server on loopback that passes requests on to a real service and records what that answers. Run it once, by hand, with
/// a real account; commit the recording, which holds no secrets.
///
/// ```no_run
/// use nexo_poller_testkit::http::{HttpRecorder, Scrub};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = HttpRecorder::of("https://example.atlassian.net", Scrub::new().value("ana@example.org"));
/// // … tick a job whose base_url is recorder.url(""), with real credentials …
/// recorder.recording().save("tests/jira.json")?;
/// # Ok(())
/// # }
/// ```
pub struct HttpRecorder {
    server: MockServer,
    taken: Arc<Mutex<Taken>>,
}

/// Shows nothing of what was recorded: it is scrubbed only when it is saved.
impl fmt::Debug for HttpRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRecorder").finish_non_exhaustive()
    }
}

struct Taken {
    recording: Recording,
    /// Knows the secrets of the requests' headers, which are not recorded themselves.
    scrub: Scrub,
}

impl HttpRecorder {
    /// A server that stands before `upstream`, such as `https://api.example.org`.
    #[must_use]
    pub fn of(upstream: &str, scrub: Scrub) -> Self {
        let upstream = upstream.trim_end_matches('/').to_owned();
        let config = Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).http_status_as_error(false);
        let agent: Agent = config.max_redirects(0).allow_non_standard_methods(true).build().into();
        let taken = Arc::new(Mutex::new(Taken { recording: Recording::default(), scrub }));
        let server = MockServer::start();
        let shared = Arc::clone(&taken);
        server.mock(move |when, then| {
            when.any_request();
            then.respond_with(move |request| {
                let response = match forward(&agent, &upstream, request) {
                    Ok(response) => response,
                    Err(reason) => {
                        let body = format!("the recorder cannot reach the service: {reason}");
                        return HttpMockResponse::builder().status(502).body(body).build();
                    }
                };
                let Answer { status, headers, body } = &response;
                let builder = HttpMockResponse::builder().status(*status).headers(headers.clone());
                let answer = builder.body(bytes_of(body)).build();
                let exchange = Exchange { request: asked_of(request), response };
                let mut taken = shared.lock().unwrap_or_else(PoisonError::into_inner);
                taken.scrub.learn(&headers_of(request));
                taken.recording.exchanges.push(exchange);
                answer
            });
        });
        Self { server, taken }
    }

    /// The address of `path` on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// What was recorded so far, without its secrets.
    #[must_use]
    pub fn recording(&self) -> Recording {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut recording = taken.recording.clone();
        taken.scrub.scrub(&mut recording);
        recording
    }
}

/// Asks the real service. Blocks: a recorder serves one test, run by hand.
fn forward(agent: &Agent, upstream: &str, request: &HttpMockRequest) -> Result<Answer, String> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut forwarded = Request::builder().method(request.method_str()).uri(format!("{upstream}{path}"));
    for (name, value) in headers_of(request).iter().filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())) {
        if name != "accept-encoding" {
            forwarded = forwarded.header(name, value);
        }
    }
    let forwarded = forwarded.body(request.body_ref().to_vec()).map_err(|error| error.to_string())?;
    let mut response = agent.run(forwarded).map_err(|error| error.to_string())?;
    let headers: BTreeMap<String, String> = response
        .headers()
        .iter()
        .filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().map_err(|error| error.to_string())?;
    Ok(Answer { status, headers, body: body_of(&body) })
}
