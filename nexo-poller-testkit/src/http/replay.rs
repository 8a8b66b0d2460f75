use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use httpmock::{HttpMockRequest, HttpMockResponse, MockServer};
use serde_json::Value;

use super::recording::{Answer, Asked, Exchange, Recording, body_of, bytes_of};
use super::{HttpError, Scrub};

/// A server on loopback that answers from a [`Recording`] until it is dropped: keep it in a variable for as long as the job may
/// ask it. After that the address may be another test's server; a [`JobTest`](crate::JobTest) whose config still names it panics,
/// and says so. For a service that cannot be reached take an address where nobody listens, for one that goes away
/// [`play`](Self::play) what it answers then.
#[must_use = "the server answers only until this is dropped: keep it for as long as the job may ask it"]
pub struct HttpReplay {
    server: Arc<MockServer>,
    tape: Arc<Mutex<Tape>>,
}

impl fmt::Debug for HttpReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReplay").field("address", &self.server.base_url()).finish_non_exhaustive()
    }
}

/// So many servers that were dropped last are kept from other tests, so that whoever still asks them can be told. All servers of a
/// process are 25 at most: then a test waits for one.
const KEPT: usize = 2;

static DROPPED: Mutex<VecDeque<Arc<MockServer>>> = Mutex::new(VecDeque::new());

/// The address of a server that was dropped, if `config` names one.
pub(crate) fn dropped_server_in(config: &Value) -> Option<String> {
    let text = config.to_string();
    let named = |address: &String| {
        // Port 80 is no part of port 8080.
        text.match_indices(address).any(|(at, _)| !text[at + address.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
    dropped.iter().map(|server| server.base_url()).find(named)
}

#[derive(Default)]
struct Tape {
    dropped: bool,
    exchanges: Vec<Exchange>,
    played: Vec<bool>,
    asked: Vec<Heard>,
}

/// A request that has come, with its headers by their names in lower case.
type Heard = (Asked, std::collections::BTreeMap<String, String>);

impl HttpReplay {
    /// A server that answers from `recording`.
    pub fn of(recording: Recording) -> Self {
        let tape = Arc::new(Mutex::new(Tape::default()));
        let server = MockServer::start();
        let shared = Arc::clone(&tape);
        server.mock(move |when, then| {
            when.any_request();
            then.respond_with(move |request| shared.lock().unwrap_or_else(PoisonError::into_inner).answer(request));
        });
        let replay = Self { server: Arc::new(server), tape };
        replay.play(recording);
        replay
    }

    /// A server that answers from the file at `path`.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HttpError> {
        Recording::load(path).map(Self::of)
    }

    /// The address of `path` on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Answers from `recording` from now on; what was asked so far stays in [`asked`](Self::asked).
    pub fn play(&self, recording: Recording) {
        let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
        tape.played = vec![false; recording.exchanges.len()];
        tape.exchanges = recording.exchanges;
    }

    /// Starts the recording from its beginning again.
    pub fn rewind(&self) {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).played.fill(false);
    }

    /// What was asked so far, oldest first, with query and body.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.heard().into_iter().map(|(asked, _)| asked).collect()
    }

    /// The values of a header in what was asked so far, oldest first; `None` where a request had none.
    #[must_use]
    pub fn asked_header(&self, name: &str) -> Vec<Option<String>> {
        let name = name.to_ascii_lowercase();
        self.heard().into_iter().map(|(_, mut headers)| headers.remove(&name)).collect()
    }

    fn heard(&self) -> Vec<Heard> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Drop for HttpReplay {
    fn drop(&mut self) {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).dropped = true;
        let mut dropped = DROPPED.lock().unwrap_or_else(PoisonError::into_inner);
        dropped.push_back(Arc::clone(&self.server));
        if dropped.len() > KEPT {
            dropped.pop_front();
        }
    }
}

impl Tape {
    fn answer(&mut self, request: &HttpMockRequest) -> HttpMockResponse {
        if self.dropped {
            let body = "the HttpReplay of this address was dropped: keep it for as long as it may be asked";
            return HttpMockResponse::builder().status(501).body(body).build();
        }
        let asked = asked_of(request);
        self.asked.push((asked.clone(), headers_of(request)));
        // Recordings hold no secrets, so those of the request cannot be compared.
        let mut scrubbed = Recording::from([Exchange {
            request: asked.clone(),
            response: Answer { status: 0, headers: Default::default(), body: Value::Null },
        }]);
        Scrub::new().scrub(&mut scrubbed);
        let is_it = |exchange: &Exchange| {
            exchange.request.is(&asked) || scrubbed.exchanges.iter().any(|s| exchange.request.is(&s.request))
        };
        let fits = || self.exchanges.iter().enumerate().filter(|(_, exchange)| is_it(exchange)).map(|(index, _)| index);
        let next = fits().find(|index| !self.played[*index]);
        // The last one stands for all that follow.
        let Some(index) = next.or_else(|| fits().next_back()) else { return self.unknown(&asked) };
        self.played[index] = true;
        let Answer { status, headers, body } = &self.exchanges[index].response;
        let builder = HttpMockResponse::builder().status(*status).headers(headers.clone());
        builder.body(bytes_of(body)).build()
    }

    fn unknown(&self, asked: &Asked) -> HttpMockResponse {
        let known: Vec<String> = self.exchanges.iter().map(|exchange| shown(&exchange.request)).collect();
        let body = format!("no recorded exchange for {}; there are: {}", shown(asked), known.join(", "));
        HttpMockResponse::builder().status(501).body(body).build()
    }
}

fn shown(asked: &Asked) -> String {
    let query: Vec<String> = asked.query.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{} {}{mark}{}", asked.method, asked.path, query.join("&"))
}

/// A request in the terms of a recording.
pub(super) fn asked_of(request: &HttpMockRequest) -> Asked {
    let uri = request.uri();
    let body = body_of(request.body_ref());
    Asked {
        method: request.method_str().to_owned(),
        path: uri.path().to_owned(),
        query: Some(request.query_params().into_iter().collect()),
        body: (!body.is_null()).then_some(body),
    }
}

pub(super) fn headers_of(request: &HttpMockRequest) -> std::collections::BTreeMap<String, String> {
    request.headers_vec().iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}
