use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chrono::Utc;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};

use super::address::is_public;
use crate::contract::{HttpStatus, PollerError, WarmState, read_retry_after};

/// From the first connection to the last byte, redirects included.
const LONGEST: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(10);
/// A larger body is not read to its end.
pub(super) const LARGEST: usize = 8 << 20;
/// Hops after the first request.
const MOST_REDIRECTS: usize = 5;

/// One HTTP client, with its connections, for every job of the process: one that reaches public addresses only, and one for
/// jobs with `allow_private_networks`. They share no connection.
pub(super) struct Http {
    public: Client,
    any: Client,
    /// What a test lets stand for the public internet; nothing outside tests.
    #[cfg(test)]
    exempt: Option<u16>,
}

/// One request, its secrets in place.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<String>,
    pub(super) allow_private_networks: bool,
}

/// What a server answered in the end.
pub(super) enum Answer {
    /// Nothing has changed since the version that the request named.
    Unchanged,
    /// A body.
    Body { headers: HeaderMap, bytes: Vec<u8> },
}

impl WarmState for Http {
    async fn build() -> Result<Self, PollerError> {
        crate::tls::choose_cryptography();
        let client = || {
            Client::builder()
                .user_agent(concat!("nexo-poller/", env!("CARGO_PKG_VERSION")))
                // A proxy would connect in our place, to addresses that nobody has checked.
                .no_proxy()
                .redirect(Policy::none())
                .connect_timeout(CONNECT)
                .timeout(LONGEST)
        };
        let made = |client: reqwest::ClientBuilder| {
            let none = |error| PollerError::permanent(format!("no HTTP client: {}", crate::tls::why_no_client(&error)));
            client.build().map_err(none)
        };
        Ok(Self {
            public: made(client().dns_resolver(PublicOnly))?,
            any: made(client())?,
            #[cfg(test)]
            exempt: None,
        })
    }
}

impl Http {
    /// Sends `request` and follows where it is sent on to, checking each address before it is connected to.
    ///
    /// # Errors
    /// Transient where it may work later, permanent where it will not. None shows a URL, which may hold a key.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, PollerError> {
        let all = async {
            let Request { method, mut url, mut headers, mut body, allow_private_networks } = request;
            let client = if allow_private_networks { &self.any } else { &self.public };
            for _ in 0..=MOST_REDIRECTS {
                if !allow_private_networks && !self.is_exempt(&url) {
                    check_literal(&url)?;
                }
                let mut sent = client.request(method.clone(), url.clone()).headers(headers.clone());
                if let Some(body) = &body {
                    sent = sent.body(body.clone());
                }
                let response = sent.send().await.map_err(|error| failed(&error))?;
                let Some(next) = redirect_of(&response, &url)? else { return read(response).await };
                if method != Method::GET && method != Method::HEAD {
                    return Err(PollerError::permanent(
                        "the server sends this request elsewhere, and only GET and HEAD are sent on: set `url` to the new address",
                    ));
                }
                if next.origin() != url.origin() {
                    // They were written for the server that the operator named, and may hold its secrets.
                    headers.clear();
                    body = None;
                }
                url = next;
            }
            Err(PollerError::permanent(format!("the server sends requests on more than {MOST_REDIRECTS} times")))
        };
        tokio::time::timeout(LONGEST, all).await.unwrap_or_else(|_| {
            Err(PollerError::transient(format!("the server did not answer within {} s", LONGEST.as_secs())))
        })
    }
}

impl Http {
    #[cfg(test)]
    fn is_exempt(&self, url: &Url) -> bool {
        self.exempt.is_some() && url.port() == self.exempt
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the shape that tests need")]
    const fn is_exempt(&self, _: &Url) -> bool {
        false
    }
}

/// Where the response sends the request on to, if it does.
fn redirect_of(response: &Response, from: &Url) -> Result<Option<Url>, PollerError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let next = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).and_then(|to| from.join(to).ok());
    let next =
        next.ok_or_else(|| PollerError::permanent("the server sends the request on, and does not say where to"))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(next)),
        _ => Err(PollerError::permanent("the server sends the request on from https to an address that is not")),
    }
}

/// reqwest asks no resolver about a host that is an address, in whichever form it was written: the parser has turned decimal,
/// octal, hexadecimal and mapped forms into addresses by now.
fn check_literal(url: &Url) -> Result<(), PollerError> {
    let host = url.host_str().unwrap_or_default();
    match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(private_network()),
        _ => Ok(()),
    }
}

fn private_network() -> PollerError {
    PollerError::permanent(format!("{NotPublic}"))
}

async fn read(mut response: Response) -> Result<Answer, PollerError> {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        return Ok(Answer::Unchanged);
    }
    if !status.is_success() {
        let after = text_of(response.headers(), &RETRY_AFTER).and_then(|after| read_retry_after(&after, Utc::now()));
        return Err(HttpStatus::new("the server", status.as_u16()).retry_after(after).error());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if bytes.len() + chunk.len() > LARGEST {
            return Err(PollerError::permanent(format!(
                "the answer is larger than {} MiB: ask the source for less at a time",
                LARGEST >> 20
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Answer::Body { headers: response.headers().clone(), bytes })
}

/// A header of the answer, as text.
pub(super) fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn failed(error: &reqwest::Error) -> PollerError {
    // Where the cause is our own resolver's refusal, waiting will not help.
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return private_network();
        }
        cause = error.source();
    }
    let innermost = {
        let mut innermost: &dyn StdError = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        // The outermost error is the one that shows the URL.
        if innermost.is::<reqwest::Error>() { String::new() } else { format!(": {innermost}") }
    };
    let what = match () {
        () if error.is_timeout() => "the server did not answer in time",
        () if error.is_connect() => "the server cannot be connected to",
        () if error.is_builder() => return PollerError::config("the request cannot be made from this config"),
        () => "the exchange with the server broke off",
    };
    PollerError::transient(format!("{what}{innermost}"))
}

/// A host has addresses that jobs may not reach.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the host is not on the public internet, and nothing was connected to; where that is meant, set \
             `allow_private_networks: true`",
        )
    }
}

impl StdError for NotPublic {}

/// Resolves names to public addresses. The client connects to what it is given, so there is no second look-up that could give
/// another answer.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            only_public(found)
        })
    }
}

/// One private address among the public ones is reason enough to doubt the name.
fn only_public(found: Vec<SocketAddr>) -> Result<Addrs, Box<dyn StdError + Send + Sync>> {
    if found.iter().all(|address| is_public(address.ip())) {
        Ok(Box::new(found.into_iter()))
    } else {
        Err(Box::new(NotPublic))
    }
}

#[cfg(test)]
mod tests;
