use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{ClientBuilder, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::args::AdminPlace;
use crate::api::{ADDRESS_FILE, TOKEN_FILE, TOKEN_VARIABLE};
use crate::config::PollersFile;
use crate::config::private_file;
use crate::core::exit::Exit;

/// A daemon that is there takes a connection within this time.
const CONNECT: Duration = Duration::from_secs(5);

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
    /// What stands in the file of this machine's daemon.
    Filed(PathBuf, io::Result<String>),
}

/// Why a command ends.
#[derive(Debug)]
pub(super) struct ClientError {
    pub(super) exit: Exit,
    pub(super) sentence: String,
}

impl ClientError {
    pub(super) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self { exit, sentence: sentence.into() }
    }
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
                let token = private_file::read(&file).map(|token| token.trim().to_owned());
                if token.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    // Whoever answers there is another file's.
                    return Err(no_daemon(config));
                }
                // Nor authorities: a small image has none, and plain HTTP needs none.
                (http.no_proxy().tls_certs_only([]), format!("http://{address}"), Token::Filed(file, token))
            }
        };
        let http = http.build().map_err(|error| {
            ClientError::new(Exit::Failed, nexo_poller::unstable::why_no_client(&error.without_url()))
        })?;
        Ok(Self { http, base, token })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(self.request(Method::GET, path)).await
    }

    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, ClientError> {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// The answer of a GET that may go on for as long as the daemon runs.
    pub(super) async fn stream(&self, path: &str) -> Result<reqwest::Response, ClientError> {
        let answer = self.request(Method::GET, path).send().await.map_err(|error| self.gone(&error))?;
        if answer.status() == StatusCode::UNAUTHORIZED { Err(self.not_admitted()) } else { Ok(answer) }
    }

    /// A request with the token, where this user can read it.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Token::Given(Some(token)) | Token::Filed(_, Ok(token)) => request.bearer_auth(token),
            Token::Given(None) | Token::Filed(_, Err(_)) => request,
        }
    }

    fn gone(&self, error: &reqwest::Error) -> ClientError {
        let base = self.base.trim_start_matches("http://");
        // Of TLS, the last cause says what is wrong: an unknown authority, another name.
        let refused = self.base.starts_with("https://").then(|| root_cause(error));
        let why = match refused {
            Some(why) => why,
            None if error.is_connect() => "nobody listens there".to_owned(),
            None => "it did not answer".to_owned(),
        };
        ClientError::new(
            Exit::NoDaemon,
            format!("the daemon at {base} is not there ({why}); start it with `nexo-poller run`"),
        )
    }

    /// The daemon does not know who asks.
    fn not_admitted(&self) -> ClientError {
        let base = self.base.trim_start_matches("http://");
        let (exit, sentence) = match &self.token {
            Token::Filed(file, Ok(_)) => (
                Exit::NoDaemon,
                format!(
                    "the daemon at {base} does not know the token in {}: it is that of another file, or the token was replaced \
                     while it ran. Start this file's with `nexo-poller run`",
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

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let gone = |error: reqwest::Error| self.gone(&error);
        let answer = request.send().await.map_err(gone)?;
        let status = answer.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(self.not_admitted());
        }
        let body: Value = answer.json().await.map_err(gone)?;
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

/// `/admin/pollers/<id>`, whatever the id holds.
pub(super) fn job_path(id: &str) -> String {
    format!("/admin/pollers/{}", percent_encoded(id))
}

/// Text as one segment of a path or one value of a query.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Where the daemon that runs the file at `config` listens for users of this machine, and the file with its token.
fn on_this_machine(config: &Path) -> Result<(String, PathBuf), ClientError> {
    let settings =
        PollersFile::settings_of(config).map_err(|error| ClientError::new(Exit::Config, error.to_string()))?;
    let dir = settings.state_db.parent().unwrap_or(Path::new("")).to_owned();
    // A port that the file names is this file's daemon, if anybody listens there; several daemons may share one state,
    // and so one address file.
    let admin = &settings.admin;
    let named = admin.bind.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    let named = named.filter(|_| !admin.binds_by_default() && !admin.is_for_outside());
    let address = match named.filter(|address| TcpStream::connect_timeout(address, CONNECT).is_ok()) {
        Some(address) => address.to_string(),
        None => std::fs::read_to_string(dir.join(ADDRESS_FILE)).map_err(|_| no_daemon(config))?,
    };
    Ok((address.trim().to_owned(), dir.join(TOKEN_FILE)))
}

fn no_daemon(config: &Path) -> ClientError {
    let config = config.display();
    let sentence = format!("no daemon is running for {config}; start one with `nexo-poller run -c {config}`");
    ClientError::new(Exit::NoDaemon, sentence)
}

/// # Errors
/// Where `url` is no address of a web server.
fn check_address(url: &str) -> Result<(), ClientError> {
    let why = if !["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) {
        "it must begin with https:// or http://".to_owned()
    } else if let Err(error) = reqwest::Url::parse(url) {
        error.to_string()
    } else {
        return Ok(());
    };
    Err(ClientError::new(Exit::Usage, format!("`{url}` is no URL for --admin-url (NEXO_POLLER_ADMIN_URL): {why}")))
}

/// A client that trusts the authority in the PEM file `ca` as well.
fn trusting(http: ClientBuilder, ca: Option<&Path>) -> Result<ClientBuilder, ClientError> {
    let Some(path) = ca else { return Ok(http) };
    let unusable = |error: &dyn std::fmt::Display| {
        ClientError::new(Exit::Failed, format!("the authority {} cannot be used: {error}", path.display()))
    };
    let pem = std::fs::read(path).map_err(|error| unusable(&error))?;
    let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unusable(&error))?;
    Ok(certificates.into_iter().fold(http, ClientBuilder::add_root_certificate))
}

fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &(dyn Error + 'static) = error;
    while let Some(deeper) = below(cause) {
        cause = deeper;
    }
    match cause.downcast_ref::<rustls::Error>() {
        Some(rustls::Error::InvalidMessage(_)) => "it does not speak TLS: is it http://?".to_owned(),
        _ => cause.to_string(),
    }
}

/// An I/O error passes what it wraps off as itself, and names only what is below that as its source.
fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
