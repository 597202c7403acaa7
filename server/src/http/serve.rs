//! Listening, and ending without cutting anybody off.
//!
//! The loop is our own because axum's sets no limit on how long a client may take over its headers, nor on how many
//! connections are open. It speaks HTTP/1.1; a proxy in front may speak anything else.

use super::{
    App,
    care::{self, Watched},
    router, session,
};
use axum::{Router, body::Body, extract::ConnectInfo};
use http::Request;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use metrics_exporter_prometheus::PrometheusHandle;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long open requests may take to end.
const DRAIN: Duration = Duration::from_secs(15);
/// How long a client may take over its headers, and leave a connection unused.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// More connections wait in the system's queue.
const MAX_CONNECTIONS: usize = 4096;
/// After a failed accept, e.g. for want of file descriptors.
const RECOVER: Duration = Duration::from_millis(200);
/// How often the histograms are tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until `app.ending` is cancelled, then lets open requests end.
pub async fn serve(app: App, listener: TcpListener) {
    tokio::spawn(session::forget_expired(app.core.clone(), app.ending.clone()));
    answer(router(&app), app.metrics, app.ending, listener).await;
}

/// Answers those who watch a worker until it is to end.
pub async fn watch(watched: Watched, listener: TcpListener) {
    let (metrics, ending) = (watched.metrics.clone(), watched.ending.clone());
    answer(care::router(watched), metrics, ending, listener).await;
}

async fn answer(service: Router, metrics: PrometheusHandle, ending: CancellationToken, listener: TcpListener) {
    tokio::spawn(upkeep(metrics, ending.clone()));
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            // The permit is taken first, so that a connection is not accepted and then kept waiting.
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        tokio::select! {
            (accepted, permit) = accepted => match (accepted, permit) {
                (Ok((socket, peer)), Ok(permit)) => talk(socket, peer, service.clone(), &graceful, permit),
                (Err(error), _) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(RECOVER).await;
                }
                (_, Err(_)) => break,
            },
            () = ending.cancelled() => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in {} seconds", DRAIN.as_secs());
    }
}

fn talk(
    socket: TcpStream,
    peer: SocketAddr,
    service: Router,
    graceful: &GracefulShutdown,
    permit: OwnedSemaphorePermit,
) {
    // Small answers leave at once; a socket that cannot do that still works.
    let _ = socket.set_nodelay(true);
    let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        service.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(socket), answer);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        // Clients break off all the time; what matters was answered and logged.
        if let Err(error) = connection.await {
            tracing::debug!(%error, %peer, "a connection broke off");
        }
        drop(permit);
    });
}

async fn upkeep(metrics: PrometheusHandle, ending: CancellationToken) {
    while !ending.is_cancelled() {
        metrics.run_upkeep();
        tokio::select! {
            () = tokio::time::sleep(UPKEEP) => {}
            () = ending.cancelled() => {}
        }
    }
}
