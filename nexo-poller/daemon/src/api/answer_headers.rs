use axum::http::{HeaderValue, header};
use axum::response::Response;

/// What a browser is told with every answer, whatever it is: nothing is kept, guessed at, shown in a frame, or told to another
/// site. An answer that is no page may load and run nothing; a page says itself what it needs.
pub(super) async fn with_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let none = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(none);
    answer
}
