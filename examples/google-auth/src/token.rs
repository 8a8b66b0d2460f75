use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};
use nexo_poller::contract::ErrorClass;
use nexo_poller::prelude::*;
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, TokenResponse as _,
    TokenUrl,
};
use serde_json::{Map, Value};
use url::Url;

use crate::account::read;
use crate::client::retry_after;
use crate::{Account, Http};

/// A token that ends sooner is refreshed: the tick must get through with it.
const MARGIN: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// Where tokens are had.
const GOOGLE: &str = "https://oauth2.googleapis.com/token";

/// What a request to Google's APIs shows.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(String);

impl AccessToken {
    /// The value of the header `authorization`.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

/// Shows no secret.
impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken")
    }
}

/// An access token of `account`, which belongs to `agent`; it is good for a minute after `now` at least. Where the one in the token
/// file ends sooner, it is refreshed there, once for all who ask at the same time.
///
/// # Errors
/// A config error where a file of the account cannot be used, a permanent one where Google refuses the account, a transient one
/// where Google cannot be reached or has failed.
pub async fn access_token(account: Account, agent: &str, now: DateTime<Utc>) -> Result<AccessToken, PollerError> {
    let agent = agent.to_owned();
    // Files, locks and the HTTP client block.
    let work = tokio::task::spawn_blocking(move || current_or_new(&account, &agent, now));
    work.await.transient("the refresh of the access token died")?
}

fn current_or_new(account: &Account, agent: &str, now: DateTime<Utc>) -> Result<AccessToken, PollerError> {
    if let Some(token) = TokenFile::read(&account.token_path, agent)?.current(now) {
        return Ok(token);
    }
    let _turn = lock(&account.token_path)?;
    // Whoever had the lock before has refreshed it, most likely.
    let mut file = TokenFile::read(&account.token_path, agent)?;
    if let Some(token) = file.current(now) {
        return Ok(token);
    }
    let answer = refresh(account, agent, file.text("refresh_token"), now)?;
    file.take(&answer, now);
    file.write(&account.token_path)?;
    Ok(AccessToken(answer.access_token().secret().clone()))
}

/// Held until it is dropped, by one job of one process of this machine. It is no lock on the token file itself: another file takes
/// the place of that one.
fn lock(token_path: &Path) -> Result<File, PollerError> {
    let mut path = token_path.as_os_str().to_owned();
    path.push(".lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    lock.map_err(|error| PollerError::config(format!("{} cannot be locked: {error}", Path::new(&path).display())))
}

/// A token file: a JSON object.
struct TokenFile(Map<String, Value>);

impl TokenFile {
    fn read(path: &Path, agent: &str) -> Result<Self, PollerError> {
        let text = read(path, "token_path", agent)?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) if fields.get("refresh_token").is_some_and(Value::is_string) => Ok(Self(fields)),
            // The error would quote the file.
            _ => Err(PollerError::config(format!(
                "`token_path` of agent `{agent}`'s account `google`: {} is no JSON object with a `refresh_token`; put there \
                 what the person's consent gave",
                path.display()
            ))),
        }
    }

    fn text(&self, key: &str) -> String {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn current(&self, now: DateTime<Utc>) -> Option<AccessToken> {
        let ends = instant(self.0.get("expires_at")?)?;
        let token = self.0.get("access_token")?.as_str()?;
        (ends - now > MARGIN).then(|| AccessToken(token.to_owned()))
    }

    fn take(&mut self, answer: &BasicTokenResponse, now: DateTime<Utc>) {
        let life = answer.expires_in().unwrap_or_default();
        self.0.insert("access_token".to_owned(), answer.access_token().secret().as_str().into());
        // In Unix seconds, as other tools read it that share the file.
        self.0.insert("expires_at".to_owned(), (now + life).timestamp().into());
        if let Some(refresh) = answer.refresh_token() {
            self.0.insert("refresh_token".to_owned(), refresh.secret().as_str().into());
        }
    }

    /// In place of the file at `path`, whole or not at all. It is its owner's only: so are all temporary files of `tempfile`.
    fn write(&self, path: &Path) -> Result<(), PollerError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(dir).and_then(|mut draft| {
            serde_json::to_writer_pretty(&mut draft, &self.0)?;
            draft.flush()?;
            draft.as_file().sync_all()?;
            draft.persist(path)?;
            Ok(())
        });
        written.map_err(|error| {
            PollerError::config(format!("the new access token cannot be kept in {}: {error}", path.display()))
        })
    }
}

/// Unix seconds, or RFC 3339.
fn instant(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => text.parse().ok(),
        // A part of a second is let go: a token that ends a moment sooner does no harm.
        #[expect(clippy::cast_possible_truncation, reason = "a cast from a float stops at the ends of the range")]
        seconds => DateTime::from_timestamp(seconds.as_i64().or_else(|| seconds.as_f64().map(|s| s as i64))?, 0),
    }
}

fn refresh(
    account: &Account,
    agent: &str,
    refresh_token: String,
    now: DateTime<Utc>,
) -> Result<BasicTokenResponse, PollerError> {
    let id = read(&account.client_id_path, "client_id_path", agent)?;
    let secret = read(&account.client_secret_path, "client_secret_path", agent)?;
    let url = TokenUrl::new(account.token_uri.as_ref().map_or(GOOGLE, Url::as_str).to_owned())
        .map_err(|_| PollerError::config("`token_uri` is no URL"))?;
    let client = BasicClient::new(ClientId::new(id))
        .set_client_secret(ClientSecret::new(secret))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(url);
    let refused = |code: &BasicErrorResponseType| {
        let (code, path) = (code.as_ref(), account.token_path.display());
        let account = format!("Google refuses the account `google` of agent `{agent}` ({code})");
        PollerError::permanent(match code {
            "invalid_grant" => format!(
                "{account}: access was withdrawn or has ended. The person must consent once more; put the new refresh token into {path}"
            ),
            "invalid_client" | "unauthorized_client" => {
                format!("{account}: check `client_id_path` and `client_secret_path`")
            }
            _ => account,
        })
    };
    let send = |request| send(request, now);
    client.exchange_refresh_token(&RefreshToken::new(refresh_token)).request(&send).map_err(|error| match error {
        RequestTokenError::ServerResponse(answer) => refused(answer.error()),
        RequestTokenError::Request(error) => error,
        // What it quotes may hold a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            PollerError::transient("what Google's token server answered is not understood")
        }
    })
}

/// One request to the token server. An answer that refuses the account is OAuth's to read.
fn send(request: HttpRequest, now: DateTime<Utc>) -> Result<HttpResponse, PollerError> {
    let response = Http::default().0.run(request).transient("Google's token server cannot be reached")?;
    let pause = retry_after(&response, now);
    let status = HttpStatus::new("Google's token server", response.status().as_u16()).retry_after(pause);
    if status.class() == ErrorClass::Transient {
        return Err(status.error());
    }
    let (head, mut body) = response.into_parts();
    let body = body.read_to_vec().transient("Google's token server broke off")?;
    Ok(HttpResponse::from_parts(head, body))
}
