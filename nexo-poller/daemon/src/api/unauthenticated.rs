/// Marks a request from another machine that was admitted without the token.
#[derive(Clone)]
pub(super) struct Unauthenticated;
