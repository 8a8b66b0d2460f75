use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::access::{Access, AccessTable};
use super::caller::Caller;
use super::greeting::Greeter;
use super::token::AdminToken;

/// Who may ask: judged before any route is looked at.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    callers: Callers,
    token: AdminToken,
    /// What commands of this machine are told, and show in place of the token.
    greeter: Option<(Arc<Greeter>, AdminToken)>,
}

/// Whose requests the guard judges.
#[derive(Debug, Clone)]
enum Callers {
    /// Users of this machine, who reach it by this address. They may read without a token.
    Local(SocketAddr),
    /// Everybody else: by an address, or by one of these names.
    Remote(Arc<[String]>),
}

impl Guard {
    /// For callers on this machine, who reach it at `address`.
    pub(super) fn local(address: SocketAddr, token: AdminToken) -> Self {
        let greeter = Greeter::new(token.secret(), address);
        let pass = AdminToken::from(greeter.pass());
        Self { callers: Callers::Local(address), token, greeter: Some((Arc::new(greeter), pass)) }
    }

    /// For callers from elsewhere, who use an address or one of `names`.
    pub(super) fn remote(token: AdminToken, names: Arc<[String]>) -> Self {
        Self { callers: Callers::Remote(names), token, greeter: None }
    }

    /// Who proves to callers that this daemon knows the token; `None` where an address is not what tells daemons apart.
    pub(super) fn greeter(&self) -> Option<Arc<Greeter>> {
        self.greeter.as_ref().map(|(greeter, _)| Arc::clone(greeter))
    }

    /// # Errors
    /// The status and the sentence to answer with.
    pub(super) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        access: &AccessTable,
    ) -> Result<(), (StatusCode, &'static str)> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let host = text(header::HOST).unwrap_or_default();
        if headers.get_all(header::HOST).iter().count() != 1 || !self.is_own_name(host) {
            // A page whose name was rebound to this address sends that name here.
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                match self.callers {
                    Callers::Local(_) => "this server answers to its own loopback address only",
                    Callers::Remote(_) => {
                        "this server does not go by that name; `admin.names` in pollers.yaml lists its names"
                    }
                },
            ));
        }
        if text(header::ORIGIN).is_some_and(|origin| !self.is_own_origin(origin, host)) {
            return Err((StatusCode::FORBIDDEN, "requests of other web pages are refused"));
        }
        let rule = access.rule(method, path);
        let shown = text(header::AUTHORIZATION);
        let is_known = self.is_known(shown);
        let is_free = match self.callers {
            // Who shows the token of another daemon wants no answer of this one: an address on this machine is soon somebody
            // else's.
            Callers::Local(_) => !rule.access.needs_token_here() && (is_known || shown.is_none() || rule.any_token),
            // The page asks for the token itself; probes cannot know it.
            Callers::Remote(_) => rule.access == Access::Public,
        };
        if is_free {
            return Ok(());
        }
        let media = text(header::CONTENT_TYPE)
            .filter(|_| rule.access == Access::Write)
            .map(|media| media.split(';').next().unwrap_or_default().trim());
        if media.is_some_and(|media| !media.eq_ignore_ascii_case("application/json")) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body must be application/json"));
        }
        if !is_known {
            return Err((
                StatusCode::UNAUTHORIZED,
                match self.callers {
                    Callers::Local(_) if shown.is_some() => "this is not the token in this daemon's file admin.token",
                    Callers::Local(_) => {
                        "calls that change something, or show a cursor or a log, need `Authorization: Bearer <token>` \
                         from the file admin.token"
                    }
                    Callers::Remote(_) => "every call needs `Authorization: Bearer <token>`",
                },
            ));
        }
        Ok(())
    }

    /// Who has sent a request that was admitted.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        Caller { holds_token: self.is_known(shown), is_remote: matches!(self.callers, Callers::Remote(_)) }
    }

    /// Whether an `Authorization` header shows the token, or what only those make of it who know it.
    fn is_known(&self, shown: Option<&str>) -> bool {
        self.token.is_shown_by(shown) || self.greeter.as_ref().is_some_and(|(_, pass)| pass.is_shown_by(shown))
    }

    /// Whether `host` (a name or an address, and perhaps a port) is what this server is reached by.
    fn is_own_name(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        // Rebinding needs a name; a literal address is the caller's own choice.
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse::<IpAddr>();
        match &self.callers {
            Callers::Local(address) => {
                port == Some(address.port())
                    && (name.eq_ignore_ascii_case("localhost")
                        || literal.is_ok_and(|ip| ip.is_loopback() || ip == address.ip()))
            }
            // Its port may be another one out there: containers and proxies map them.
            Callers::Remote(names) => literal.is_ok() || names.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether a page of `origin` is this server's own, which was asked for as `host`.
    fn is_own_origin(&self, origin: &str, host: &str) -> bool {
        let schemes: &[&str] = match self.callers {
            Callers::Local(_) => &["http://"],
            // A proxy may speak TLS where this server does not.
            Callers::Remote(_) => &["https://", "http://"],
        };
        schemes.iter().any(|scheme| origin.strip_prefix(scheme) == Some(host))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn guard(dir: &tempfile::TempDir) -> Guard {
        Guard::local("127.0.0.1:9091".parse().unwrap(), AdminToken::load_or_make(dir.path()).unwrap())
    }

    /// What a path without a route is answered.
    fn admit(guard: &Guard, method: &Method, headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
        guard.admit(method, "/nowhere", headers, &AccessTable::default())
    }

    #[test]
    fn only_own_names_with_the_own_port_are_answered() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(&dir);
        for (host, admitted) in [
            ("127.0.0.1:9091", true),
            ("localhost:9091", true),
            ("LOCALHOST:9091", true),
            ("[::1]:9091", true),
            ("127.0.0.1", false),
            ("127.0.0.1:80", false),
            ("evil.example:9091", false),
            ("localhost.evil.example:9091", false),
            ("127.0.0.1.evil.example:9091", false),
            ("192.168.0.7:9091", false),
            ("", false),
            ("localhost:", false),
        ] {
            let headers = [(header::HOST, HeaderValue::from_str(host).unwrap())].into_iter().collect();
            assert_eq!(admit(&guard, &Method::GET, &headers).is_ok(), admitted, "{host:?}");
        }
        assert!(admit(&guard, &Method::GET, &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_foreign_origin_and_a_form_are_refused_before_the_token_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(&dir);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:9091"));
        assert_eq!(admit(&guard, &Method::POST, &headers).unwrap_err().0, StatusCode::UNAUTHORIZED);
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:9091"));
        assert_eq!(admit(&guard, &Method::POST, &headers).unwrap_err().0, StatusCode::UNAUTHORIZED);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(admit(&guard, &Method::POST, &headers).unwrap_err().0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        for origin in ["http://evil.example", "null", "https://127.0.0.1:9091", "http://localhost:9091"] {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(admit(&guard, &Method::GET, &headers).unwrap_err().0, StatusCode::FORBIDDEN, "{origin}");
        }
    }
}
