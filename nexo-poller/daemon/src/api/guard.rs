use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::token::AdminToken;

/// Who may ask: judged before any route is looked at.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    door: Door,
    token: AdminToken,
}

/// Whom the guard looks at.
#[derive(Debug, Clone)]
enum Door {
    /// Users of this machine, who reach it by this address. They may read without a token.
    Local(SocketAddr),
    /// Everybody else: by an address, or by one of these names.
    Outer(Arc<[String]>),
}

impl Guard {
    /// For callers on this machine, who reach it at `address`.
    pub(super) fn local(address: SocketAddr, token: AdminToken) -> Self {
        Self { door: Door::Local(address), token }
    }

    /// For callers from elsewhere, who use an address or one of `names`.
    pub(super) fn outer(token: AdminToken, names: Arc<[String]>) -> Self {
        Self { door: Door::Outer(names), token }
    }

    /// # Errors
    /// The status and the sentence to answer with.
    pub(super) fn admit(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(), (StatusCode, &'static str)> {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("\u{fffd}"));
        let host = text(header::HOST).unwrap_or_default();
        if headers.get_all(header::HOST).iter().count() != 1 || !self.is_own_name(host) {
            // A page whose name was rebound to this address sends that name here.
            return Err((
                StatusCode::MISDIRECTED_REQUEST,
                match self.door {
                    Door::Local(_) => "this server answers to its own loopback address only",
                    Door::Outer(_) => {
                        "this server does not go by that name; `admin.names` in pollers.yaml lists its names"
                    }
                },
            ));
        }
        if text(header::ORIGIN).is_some_and(|origin| !self.is_own_origin(origin, host)) {
            return Err((StatusCode::FORBIDDEN, "requests of other web pages are refused"));
        }
        let reads = *method == Method::GET || *method == Method::HEAD;
        let shown = text(header::AUTHORIZATION);
        let is_known = self.token.is_shown_by(shown);
        if reads && self.is_free_to_read(path) && (is_known || shown.is_none() || !self.is_asked_by_name(path)) {
            return Ok(());
        }
        let media = text(header::CONTENT_TYPE)
            .filter(|_| !reads)
            .map(|media| media.split(';').next().unwrap_or_default().trim());
        if media.is_some_and(|media| !media.eq_ignore_ascii_case("application/json")) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body must be application/json"));
        }
        if !is_known {
            return Err((
                StatusCode::UNAUTHORIZED,
                match self.door {
                    Door::Local(_) if shown.is_some() => "this is not the token in this daemon's file admin.token",
                    Door::Local(_) => {
                        "calls that change something, or show a cursor or a log, need `Authorization: Bearer <token>` \
                         from the file admin.token"
                    }
                    Door::Outer(_) => "every call needs `Authorization: Bearer <token>`",
                },
            ));
        }
        Ok(())
    }

    /// Whether a request that was admitted comes from outside without the token.
    pub(super) fn is_stranger(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        matches!(self.door, Door::Outer(_)) && !self.token.is_shown_by(shown)
    }

    /// Whether `host` (a name or an address, and perhaps a port) is what this server is reached by.
    fn is_own_name(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        // Rebinding needs a name; a literal address is the caller's own choice.
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name).parse::<IpAddr>();
        match &self.door {
            Door::Local(address) => {
                port == Some(address.port())
                    && (name.eq_ignore_ascii_case("localhost")
                        || literal.is_ok_and(|ip| ip.is_loopback() || ip == address.ip()))
            }
            // Its port may be another one out there: containers and proxies map them.
            Door::Outer(names) => literal.is_ok() || names.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    /// Whether a page of `origin` is this server's own, which was asked for as `host`.
    fn is_own_origin(&self, origin: &str, host: &str) -> bool {
        let schemes: &[&str] = match self.door {
            Door::Local(_) => &["http://"],
            // A proxy may speak TLS where this server does not.
            Door::Outer(_) => &["https://", "http://"],
        };
        schemes.iter().any(|scheme| origin.strip_prefix(scheme) == Some(host))
    }

    /// Whether who asks for `path` with a token means the daemon that it belongs to, and wants no answer of another one: an address
    /// on this machine is soon somebody else's.
    fn is_asked_by_name(&self, path: &str) -> bool {
        matches!(self.door, Door::Local(_)) && (path.starts_with("/admin") || path == "/readyz")
    }

    /// Whether `path` shows nothing that needs the token.
    fn is_free_to_read(&self, path: &str) -> bool {
        match self.door {
            Door::Local(_) => !may_hold_secrets(path),
            // The page asks for the token itself; probes cannot know it.
            Door::Outer(_) => matches!(path, "/" | "/page.css" | "/page.js" | "/healthz" | "/readyz"),
        }
    }
}

/// Whether a user of the daemon's own machine needs the token for this.
pub(super) fn needs_token_here(method: &Method, path: &str) -> bool {
    (*method != Method::GET && *method != Method::HEAD) || may_hold_secrets(path)
}

/// Whether what is read at `path` was written by a poller, which may write anything.
fn may_hold_secrets(path: &str) -> bool {
    path.ends_with("/cursor") || path.ends_with("/log")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn guard(dir: &tempfile::TempDir) -> Guard {
        Guard::local("127.0.0.1:9091".parse().unwrap(), AdminToken::load_or_make(dir.path()).unwrap())
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
            assert_eq!(guard.admit(&Method::GET, "/admin/pollers", &headers).is_ok(), admitted, "{host:?}");
        }
        assert!(guard.admit(&Method::GET, "/admin/pollers", &HeaderMap::new()).is_err());
    }

    #[test]
    fn a_token_of_another_daemon_gets_no_answer_of_this_one() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(&dir);
        let asked = |path: &str, token: &'static str| {
            let headers = [
                (header::HOST, HeaderValue::from_static("127.0.0.1:9091")),
                (header::AUTHORIZATION, HeaderValue::from_static(token)),
            ];
            guard.admit(&Method::GET, path, &headers.into_iter().collect()).map_err(|(status, _)| status.as_u16())
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
        let guard = Guard::outer(AdminToken::given(token).unwrap(), ["polls.example".to_owned()].as_slice().into());
        let asked = |method: &Method, path: &str, host: &str, token: Option<&str>| {
            let mut headers: HeaderMap = [(header::HOST, HeaderValue::from_str(host).unwrap())].into_iter().collect();
            if let Some(token) = token {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
            }
            guard.admit(method, path, &headers).map_err(|(status, _)| status.as_u16())
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

    #[test]
    fn a_foreign_origin_and_a_form_are_refused_before_the_token_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let guard = guard(&dir);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:9091"));
        assert_eq!(guard.admit(&Method::POST, "/admin/pollers", &headers).unwrap_err().0, StatusCode::UNAUTHORIZED);
        headers.insert(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:9091"));
        assert_eq!(guard.admit(&Method::POST, "/admin/pollers", &headers).unwrap_err().0, StatusCode::UNAUTHORIZED);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert_eq!(
            guard.admit(&Method::POST, "/admin/pollers", &headers).unwrap_err().0,
            StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
        for origin in ["http://evil.example", "null", "https://127.0.0.1:9091", "http://localhost:9091"] {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            assert_eq!(
                guard.admit(&Method::GET, "/admin/pollers", &headers).unwrap_err().0,
                StatusCode::FORBIDDEN,
                "{origin}"
            );
        }
    }
}
