use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, header};

use super::AdminToken;

/// Who may ask: judged before any route is looked at.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) address: SocketAddr,
    pub(super) token: AdminToken,
}

impl Guard {
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
            return Err((StatusCode::MISDIRECTED_REQUEST, "this server answers to its own loopback address only"));
        }
        if text(header::ORIGIN).is_some_and(|origin| origin != format!("http://{host}")) {
            return Err((StatusCode::FORBIDDEN, "requests of other web pages are refused"));
        }
        let reads = *method == Method::GET || *method == Method::HEAD;
        if reads && !may_hold_secrets(path) {
            return Ok(());
        }
        let media = text(header::CONTENT_TYPE)
            .filter(|_| !reads)
            .map(|media| media.split(';').next().unwrap_or_default().trim());
        if media.is_some_and(|media| !media.eq_ignore_ascii_case("application/json")) {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body must be application/json"));
        }
        if !self.token.is_shown_by(text(header::AUTHORIZATION)) {
            return Err((
                StatusCode::UNAUTHORIZED,
                "calls that change something, or show a cursor or a log, need `Authorization: Bearer <token>` from the \
                 file admin.token",
            ));
        }
        Ok(())
    }

    /// Whether `host` (a name or an address, and a port) is what this server is reached by.
    fn is_own_name(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        if port != Some(self.address.port()) {
            return false;
        }
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        // Rebinding needs a name; behind an unspecified address any literal address is the caller's own choice.
        name.parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == self.address.ip() || self.address.ip().is_unspecified())
    }
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
        Guard { address: "127.0.0.1:9091".parse().unwrap(), token: AdminToken::load_or_make(dir.path()).unwrap() }
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
