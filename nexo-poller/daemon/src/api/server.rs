use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at once; more of them wait.
const CONNECTIONS: usize = 512;
/// Whoever has not sent a request's head, or ended the TLS handshake, by then is let go. Also how long a connection may rest
/// between two requests.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 15 });
/// After an error of the machine, such as no file descriptor left.
const RECOVERY: Duration = Duration::from_millis(500);

/// Answers with `router` to whoever connects to `listener`, until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Nobody closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the admin API could not take a connection; it tries again");
                    tokio::time::sleep(RECOVERY).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let (router, tls) = (router.clone(), tls.clone());
        connections.spawn(async move {
            let _place = place;
            match tls {
                None => answer(stream, router).await,
                Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => answer(stream, router).await,
                    // Scanners and plain HTTP: nothing that an operator could mend.
                    Ok(Err(error)) => tracing::debug!(%error, "the admin API: no TLS came about"),
                    Err(_) => {}
                },
            }
        });
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let mut http = Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A connection that breaks is its client's business.
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use axum::routing::get;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_sends_no_request_is_let_go_and_others_are_answered_then() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "here" }));
        let server = tokio::spawn(serve(listener, router, None));
        tokio::task::spawn_blocking(move || {
            let mut idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| TcpStream::connect(address).unwrap()).collect();
            // Half a request is none.
            idle[0].write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            let mut caller = TcpStream::connect(address).unwrap();
            caller.set_read_timeout(Some(PATIENCE * 4)).unwrap();
            caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            caller.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("here"), "{answer}");
        })
        .await
        .unwrap();
        server.abort();
    }
}
