use axum::http::Method;

/// What a caller must show to use a route; the strictest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Nothing, from anywhere.
    Public,
    /// Nothing on the daemon's own machine, the token from elsewhere.
    Read,
    /// The token: a poller wrote what is shown, and it may write anything.
    Secret,
    /// The token: the call changes something.
    Write,
}

impl Access {
    /// Whether a user of the daemon's own machine needs the token.
    pub(super) fn needs_token_here(self) -> bool {
        self >= Self::Secret
    }
}

/// What one route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) access: Access,
    /// Whether a caller of this machine who shows a token of something else is answered all the same.
    pub(super) any_token: bool,
}

/// The rules of all routes.
#[derive(Debug, Clone, Default)]
pub(super) struct AccessTable(Vec<(Method, &'static str, Rule)>);

impl FromIterator<(Method, &'static str, Rule)> for AccessTable {
    fn from_iter<I: IntoIterator<Item = (Method, &'static str, Rule)>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}

impl AccessTable {
    /// The rule for a request. Where several routes match its path, all of their rules hold: which one the router takes
    /// makes no difference then.
    pub(super) fn rule(&self, method: &Method, path: &str) -> Rule {
        let reads = *method == Method::GET || *method == Method::HEAD;
        // The router answers a HEAD with the route of the GET.
        let method = if reads { &Method::GET } else { method };
        let matching = self.0.iter().filter(|(of, template, _)| of == method && matches(template, path));
        let rule = matching.map(|(.., rule)| *rule).reduce(|one, other| Rule {
            access: one.access.max(other.access),
            any_token: one.any_token && other.any_token,
        });
        // Where there is no route, a wrong token is named first, and only this machine's users learn that nothing is there.
        rule.unwrap_or(Rule { access: if reads { Access::Read } else { Access::Write }, any_token: false })
    }
}

/// Whether a route at `template` answers for `path`: a `{name}` is any one segment.
fn matches(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() || wanted == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> AccessTable {
        let rule = |access, any_token| Rule { access, any_token };
        AccessTable::from_iter([
            (Method::GET, "/probe", rule(Access::Public, true)),
            (Method::GET, "/jobs/{id}", rule(Access::Read, true)),
            (Method::GET, "/jobs/{id}/cursor", rule(Access::Secret, false)),
            (Method::PUT, "/jobs/{id}/cursor", rule(Access::Write, false)),
            (Method::GET, "/jobs/all", rule(Access::Secret, false)),
        ])
    }

    #[test]
    fn a_request_needs_what_its_route_declares() {
        for (method, path, access) in [
            (Method::GET, "/probe", Access::Public),
            (Method::HEAD, "/probe", Access::Public),
            (Method::GET, "/jobs/a", Access::Read),
            (Method::GET, "/jobs/cursor", Access::Read),
            (Method::GET, "/jobs/a%2Fb/cursor", Access::Secret),
            (Method::PUT, "/jobs/a/cursor", Access::Write),
        ] {
            assert_eq!(table().rule(&method, path).access, access, "{method} {path}");
        }
    }

    #[test]
    fn where_two_routes_match_the_stricter_rule_holds() {
        assert_eq!(table().rule(&Method::GET, "/jobs/all"), Rule { access: Access::Secret, any_token: false });
    }

    #[test]
    fn where_no_route_matches_a_read_shows_nothing_and_everything_else_needs_the_token() {
        for path in ["/", "/jobs", "/jobs/", "/jobs//cursor", "/jobs/a/", "/jobs/a/cursor/", "/probe/", "probe", ""] {
            assert_eq!(table().rule(&Method::GET, path), Rule { access: Access::Read, any_token: false }, "{path:?}");
        }
        for method in [Method::POST, Method::OPTIONS, Method::DELETE] {
            assert_eq!(table().rule(&method, "/probe").access, Access::Write, "{method}");
        }
    }
}
