/// Who a request comes from, as the guard has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// Whether it has shown that it knows the token.
    pub(super) holds_token: bool,
    /// Whether it came in where other machines do.
    pub(super) is_remote: bool,
}
