use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::places::Places;
use super::watched::Watched;

/// Whoever has not sent a request's head, or ended the TLS handshake, by then is let go; so is who takes nothing of an answer for
/// as long. Also how long a connection may rest between two requests.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 15 });
/// After an error of the machine, such as no file descriptor left.
const RECOVERY: Duration = Duration::from_millis(500);

/// Answers with `router` to whoever connects to `listener`, until it is dropped.
pub(super) async fn serve(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>) {
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    loop {
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
        let place = Arc::new(places.take());
        let stream = Watched::new(stream, Arc::clone(&place), PATIENCE);
        // The guard finds the place of a caller who shows the token there.
        let router = Router::new().fallback_service(router.clone()).layer(Extension(Arc::clone(&place)));
        let tls = tls.clone();
        connections.spawn(async move {
            let served = async {
                match tls {
                    None => answer(stream, router).await,
                    Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => answer(stream, router).await,
                        // Scanners and plain HTTP: nothing that an operator could mend.
                        Ok(Err(error)) => tracing::debug!(%error, "the admin API: no TLS came about"),
                        Err(_) => {}
                    },
                }
            };
            tokio::select! {
                () = served => {}
                () = place.gives_way() => {}
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
    use std::convert::Infallible;
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};

    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use tokio::sync::mpsc;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    async fn serving(router: Router) -> (SocketAddr, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, tokio::spawn(serve(listener, router, None)))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_sends_no_request_is_let_go_and_others_are_answered_meanwhile() {
        let (address, server) = serving(Router::new().route("/", get(|| async { "here" }))).await;
        tokio::task::spawn_blocking(move || {
            let mut idle: Vec<TcpStream> = (0..1_000).map(|_| TcpStream::connect(address).unwrap()).collect();
            // Half a request is none.
            let last = idle.last_mut().unwrap();
            last.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
            let mut caller = TcpStream::connect(address).unwrap();
            caller.set_read_timeout(Some(PATIENCE * 30)).unwrap();
            caller.write_all(REQUEST).unwrap();
            let mut answer = String::new();
            caller.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("here"), "{answer}");
            last.set_read_timeout(Some(PATIENCE * 30)).unwrap();
            let mut rest = String::new();
            let _ = last.read_to_string(&mut rest).map_err(|error| {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it is not let go");
            });
        })
        .await
        .unwrap();
        server.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_takes_nothing_of_an_answer_is_let_go() {
        let (alive, mut gone) = mpsc::channel::<Infallible>(1);
        let alive = Arc::new(std::sync::Mutex::new(Some(alive)));
        let endless = move || {
            // The answer lives for as long as it is sent, and its sender with it.
            let alive = alive.lock().unwrap().take();
            let pieces = futures_util::stream::unfold(alive, |alive| async move {
                Some((Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 65_536])), alive))
            });
            std::future::ready(Body::from_stream(pieces))
        };
        let (address, server) = serving(Router::new().route("/", get(endless))).await;
        let mut caller = TcpStream::connect(address).unwrap();
        caller.write_all(REQUEST).unwrap();
        let let_go = tokio::time::timeout(PATIENCE * 30, gone.recv()).await;
        assert!(let_go.is_ok(), "it holds its place although it takes nothing");
        server.abort();
    }
}
