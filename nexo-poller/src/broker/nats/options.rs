use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{Addresses, Login};
use crate::broker::BrokerError;

/// How a [`NatsBroker`](super::NatsBroker) connects, and as whom.
#[derive(Clone)]
#[non_exhaustive]
pub struct NatsOptions {
    pub(super) addresses: Addresses,
    /// Who this connection is in the server's monitoring, and in the topics of answers: a plugin's id, or `daemon`.
    pub name: String,
    /// A credentials file, as `nsc` writes them.
    pub credentials: Option<PathBuf>,
    /// A file of certificate authorities (PEM) that are trusted besides the system's.
    pub ca: Option<PathBuf>,
    /// A client certificate and its key (PEM).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// How long the first connection is tried before it is given up.
    pub connect_timeout: Duration,
    /// How long a publish or a request waits for a connection that is lost before it fails.
    pub reconnect_timeout: Duration,
    /// Topics whose publishes are kept by a JetStream stream: a publish there has worked once the stream has it.
    pub stored: Vec<String>,
}

impl NatsOptions {
    /// The servers of `url`: `nats://host:port`, with `user:password@` or `token@` in front of the host, `tls://` for
    /// TLS, several servers of one cluster separated by commas.
    ///
    /// # Errors
    /// [`BrokerError::Setup`], which quotes nothing of the URL.
    pub fn new(url: &str) -> Result<Self, BrokerError> {
        Ok(Self {
            addresses: Addresses::parse(url)?,
            name: "nexo-poller".to_owned(),
            credentials: None,
            ca: None,
            certificate: None,
            connect_timeout: Duration::from_secs(10),
            reconnect_timeout: Duration::from_secs(5),
            stored: Vec::new(),
        })
    }

    /// Adds what the environment says: `NEXO_BROKER_CREDS` (a credentials file), `NEXO_BROKER_USER` with
    /// `NEXO_BROKER_PASSWORD`, `NEXO_BROKER_TOKEN`, `NEXO_BROKER_CA`, `NEXO_BROKER_CERT` with `NEXO_BROKER_KEY`,
    /// `NEXO_BROKER_STORED` (topic patterns, separated by commas).
    ///
    /// # Errors
    /// [`BrokerError::Setup`] where one of a pair is missing.
    pub fn with_environment(self) -> Result<Self, BrokerError> {
        self.with_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with_variables(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, BrokerError> {
        let pair = |first: &str, second: &str| match (variable(first), variable(second)) {
            (Some(one), Some(two)) => Ok(Some((one, two))),
            (None, None) => Ok(None),
            (given, _) => {
                let (there, missing) = if given.is_some() { (first, second) } else { (second, first) };
                Err(BrokerError::Setup { reason: format!("{there} is set and {missing} is not: they go together") })
            }
        };
        if let Some((user, password)) = pair("NEXO_BROKER_USER", "NEXO_BROKER_PASSWORD")? {
            self.addresses.login = Some(Login::User(user, password));
        }
        if let Some(token) = variable("NEXO_BROKER_TOKEN") {
            self.addresses.login = Some(Login::Token(token));
        }
        if let Some((certificate, key)) = pair("NEXO_BROKER_CERT", "NEXO_BROKER_KEY")? {
            self.certificate = Some((certificate.into(), key.into()));
        }
        self.credentials = variable("NEXO_BROKER_CREDS").map(PathBuf::from).or(self.credentials);
        self.ca = variable("NEXO_BROKER_CA").map(PathBuf::from).or(self.ca);
        if let Some(stored) = variable("NEXO_BROKER_STORED") {
            self.stored = stored.split(',').map(|pattern| pattern.trim().to_owned()).collect();
        }
        Ok(self)
    }

    /// The same under another name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The same with topics that a JetStream stream keeps.
    #[must_use]
    pub fn with_stored(mut self, patterns: Vec<String>) -> Self {
        self.stored = patterns;
        self
    }

    /// The same with another reconnect timeout.
    #[must_use]
    pub fn with_reconnect_timeout(mut self, reconnect_timeout: Duration) -> Self {
        self.reconnect_timeout = reconnect_timeout;
        self
    }

    /// The servers, without names and passwords.
    #[must_use]
    pub fn servers(&self) -> String {
        self.addresses.to_string()
    }

    pub(super) async fn client_options(&self) -> Result<async_nats::ConnectOptions, BrokerError> {
        let mut options = async_nats::ConnectOptions::new();
        match &self.addresses.login {
            Some(Login::User(user, password)) => options = options.user_and_password(user.clone(), password.clone()),
            Some(Login::Token(token)) => options = options.token(token.clone()),
            None => {}
        }
        if let Some(file) = &self.credentials {
            options = options.credentials_file(file).await.map_err(|error| BrokerError::Setup {
                reason: format!("the credentials file {} cannot be used: {error}", file.display()),
            })?;
        }
        if let Some(file) = &self.ca {
            options = options.add_root_certificates(file.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        Ok(options.require_tls(self.addresses.tls).name(&self.name))
    }
}

/// Shows no password and no token.
impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("servers", &self.servers())
            .field("name", &self.name)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_adds_to_the_url_and_half_a_pair_is_refused() {
        let with = |pairs: &'static [(&str, &str)]| {
            let variable =
                move |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            NatsOptions::new("nats://h:1").unwrap().with_variables(variable)
        };
        let options = with(&[("NEXO_BROKER_USER", "ana"), ("NEXO_BROKER_PASSWORD", "hunter2")]).unwrap();
        assert!(options.addresses.login == Some(Login::User("ana".to_owned(), "hunter2".to_owned())));
        assert!(!format!("{options:?}").contains("hunter2"));
        let options = with(&[("NEXO_BROKER_CREDS", "a.creds"), ("NEXO_BROKER_STORED", "a.>, b")]).unwrap();
        assert_eq!((options.credentials, options.stored.len()), (Some(PathBuf::from("a.creds")), 2));
        let error = with(&[("NEXO_BROKER_PASSWORD", "hunter2")]).unwrap_err().to_string();
        assert!(error.contains("NEXO_BROKER_USER is not") && !error.contains("hunter2"), "{error}");
    }
}
