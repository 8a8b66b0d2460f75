use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::args::AdminPlace;
pub(super) use super::client_error::ClientError;
use super::client_error::root_cause;
use super::destination::{CONNECT, check_address, no_daemon, on_this_machine, trusting};
use crate::api::{Greeting, GreetingError, PATIENCE, TOKEN_VARIABLE};
use crate::config::private_file;
use crate::core::exit::Exit;

/// A daemon that is at work answers what needs no work of a job within this time.
const ANSWER: Duration = Duration::from_secs(30);
/// Whether a daemon whose answer takes long is still at work is asked so often.
const LOOK: Duration = Duration::from_secs(10);

/// A running daemon, as its file names it.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: Token,
}

/// What this user shows a daemon.
enum Token {
    /// What the environment has, for a daemon elsewhere.
    Given(Option<String>),
    /// What stands in the file of this machine's daemon. It is not shown: whoever has taken the port of a daemon that is gone
    /// would get it.
    Filed(PathBuf, io::Result<Box<Pass>>),
}

/// What is shown in place of a token, once the daemon has proved that it knows that.
struct Pass {
    greeting: Greeting,
    /// For the run of the daemon that was asked last.
    known: Mutex<Option<String>>,
}

impl Client {
    /// The daemon at the URL that `place` names, else the one that runs the file at `config`.
    ///
    /// # Errors
    /// Where the file cannot be used, or no daemon has left its address.
    pub(super) fn of(config: &Path, place: &AdminPlace) -> Result<Self, ClientError> {
        // No proxy: without a URL the daemon is on this machine, whatever HTTP_PROXY says.
        nexo_poller::unstable::choose_cryptography();
        let http = reqwest::Client::builder().connect_timeout(CONNECT);
        // An empty variable is as good as none.
        let (http, base, token) = match place.admin_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
            Some(url) => {
                check_address(url)?;
                let token = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.trim().is_empty());
                (trusting(http, place.admin_ca.as_deref())?, url.trim_end_matches('/').to_owned(), Token::Given(token))
            }
            None => {
                let (address, file) = on_this_machine(config)?;
                let pass = private_file::read(&file).map(|token| Box::new(Pass::between(token.trim(), address)));
                if pass.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    // Whoever answers there is another file's.
                    return Err(no_daemon(config));
                }
                // Nor authorities: a small image has none, and plain HTTP needs none. Nor is anybody sent elsewhere.
                let http = http.no_proxy().tls_certs_only([]).redirect(Policy::none());
                (http, format!("http://{address}"), Token::Filed(file, pass))
            }
        };
        let http = http.build().map_err(|error| {
            ClientError::new(Exit::Failed, nexo_poller::unstable::why_no_client(&error.without_url()))
        })?;
        Ok(Self { http, base, token })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.answer(self.call(Method::GET, path, None, Some(ANSWER)).await?).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.answer(self.call(Method::POST, path, Some(body), Some(ANSWER)).await?).await
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.answer(self.call(Method::PUT, path, Some(body), Some(ANSWER)).await?).await
    }

    /// A POST whose answer takes as long as the work of a job, or of a plugin, for as long as the daemon is seen to be at work.
    pub(super) async fn post_work<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        let work = async { self.answer(self.call(Method::POST, path, Some(body), None).await?).await };
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LOOK) => {
                    // Any answer is one.
                    let looked = self.http.get(format!("{}/healthz", self.base)).timeout(PATIENCE).send();
                    looked.await.map_err(|error| self.gone(&error))?;
                }
            }
        }
    }

    /// What the daemon says of whether it is ready, with whatever status; nothing where that is no JSON.
    pub(super) async fn readiness(&self) -> Result<Value, ClientError> {
        let answer = self.call(Method::GET, "/readyz", None, Some(ANSWER)).await?;
        match answer.json().await {
            Err(error) if !error.is_decode() => Err(self.gone(&error)),
            said => Ok(said.unwrap_or_default()),
        }
    }

    /// The answer of a GET that may go on for as long as the daemon runs.
    pub(super) async fn stream(&self, path: &str) -> Result<Response, ClientError> {
        let begun = tokio::time::timeout(ANSWER, self.call(Method::GET, path, None, None)).await;
        begun.unwrap_or_else(|_| Err(self.silent()))
    }

    /// The answer to a request with the pass, where this user can have one. All of it comes within `limit`.
    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit: Option<Duration>,
    ) -> Result<Response, ClientError> {
        let mut is_again = false;
        loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            if let Some(body) = body {
                request = request.json(body);
            }
            if let Some(limit) = limit {
                request = request.timeout(limit);
            }
            if let Some(shown) = self.shown(is_again).await? {
                request = request.bearer_auth(shown);
            }
            let answer = request.send().await.map_err(|error| self.gone(&error))?;
            match (answer.status(), &self.token) {
                (StatusCode::UNAUTHORIZED, Token::Filed(_, Ok(_))) if !is_again => is_again = true,
                (StatusCode::UNAUTHORIZED, _) => return Err(self.not_admitted()),
                _ => return Ok(answer),
            }
        }
    }

    /// What to show the daemon; asked for again where it has started anew since.
    async fn shown(&self, is_again: bool) -> Result<Option<String>, ClientError> {
        let pass = match &self.token {
            Token::Given(token) => return Ok(token.clone()),
            Token::Filed(_, Err(_)) => return Ok(None),
            Token::Filed(_, Ok(pass)) => pass,
        };
        let mut known = pass.known.lock().await;
        if is_again || known.is_none() {
            let asked = pass.greeting.ask(&self.http).await.map_err(|error| match error {
                GreetingError::Unanswered(error) => self.gone(&error),
                GreetingError::Unproven => self.not_admitted(),
            });
            *known = Some(asked?);
        }
        Ok(known.clone())
    }

    fn gone(&self, error: &reqwest::Error) -> ClientError {
        let base = self.base.trim_start_matches("http://");
        // Of TLS, the last cause says what is wrong: an unknown authority, another name.
        let refused = self.base.starts_with("https://").then(|| root_cause(error));
        let why = match refused {
            _ if error.is_timeout() => return self.silent(),
            Some(why) => why,
            None if error.is_connect() => "nobody listens there".to_owned(),
            None => "it did not answer".to_owned(),
        };
        ClientError::new(
            Exit::NoDaemon,
            format!("the daemon at {base} is not there ({why}); start it with `nexo-poller run`"),
        )
    }

    /// The daemon has the connection, and says nothing.
    pub(super) fn silent(&self) -> ClientError {
        let base = self.base.trim_start_matches("http://");
        let sentence = format!(
            "the daemon at {base} does not answer: it is stopped, or has too much to do. Look at its log and its process \
             (`systemctl status nexo-poller`, `ps -C nexo-poller -o pid,stat,pcpu`); where the state is `T`, `kill -CONT PID` \
             lets it go on"
        );
        ClientError::new(Exit::NoDaemon, sentence)
    }

    /// The daemon does not know who asks, or did not prove that it is the one that was meant.
    fn not_admitted(&self) -> ClientError {
        let base = self.base.trim_start_matches("http://");
        let (exit, sentence) = match &self.token {
            Token::Filed(file, Ok(_)) => (
                Exit::NoDaemon,
                format!(
                    "the daemon at {base} does not know the token in {}, so it was told nothing: it is that of another file, an \
                     older version or another program, or the token was replaced while it ran. Start this file's with \
                     `nexo-poller run`",
                    file.display()
                ),
            ),
            Token::Filed(file, Err(error)) => {
                // What the system says of another user's file names no remedy.
                let remedy = if error.raw_os_error().is_some() { "; ask as the daemon's user" } else { "" };
                (
                    Exit::Failed,
                    format!("this needs the token in {}, which cannot be read: {error}{remedy}", file.display()),
                )
            }
            Token::Given(Some(_)) => {
                (Exit::Failed, format!("the daemon at {base} does not know the token in {TOKEN_VARIABLE}"))
            }
            Token::Given(None) => {
                (Exit::Failed, format!("the daemon at {base} wants a token: put it into {TOKEN_VARIABLE}"))
            }
        };
        ClientError::new(exit, sentence)
    }

    async fn answer<T: DeserializeOwned>(&self, answer: Response) -> Result<T, ClientError> {
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| self.gone(&error))?;
        if status.is_success() {
            return serde_json::from_value(body).map_err(|error| {
                let sentence = format!("the daemon's answer is not understood ({error}); is it another version?");
                ClientError::new(Exit::Failed, sentence)
            });
        }
        let sentence = body.get("error").and_then(Value::as_str).unwrap_or("the daemon refused without a reason");
        let exit = if status == StatusCode::UNPROCESSABLE_ENTITY { Exit::Config } else { Exit::Failed };
        Err(ClientError::new(exit, sentence))
    }
}

impl Pass {
    fn between(token: &str, address: SocketAddr) -> Self {
        Self { greeting: Greeting::new(token, address), known: Mutex::default() }
    }
}

/// `/admin/pollers/<id>`, whatever the id holds.
pub(super) fn job_path(id: &str) -> String {
    format!("/admin/pollers/{}", percent_encoded(id))
}

/// Text as one segment of a path or one value of a query.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
