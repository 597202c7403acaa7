//! Listening, and ending without cutting anybody off.

use super::{App, router, session};
use std::{future::IntoFuture, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

/// How long open requests may take to end.
const DRAIN: Duration = Duration::from_secs(15);
/// How often the histograms are tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until `app.ending` is cancelled, then lets open requests end.
pub async fn serve(app: App, listener: TcpListener) -> std::io::Result<()> {
    let service = router(&app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(session::forget_expired(app.core.clone(), app.ending.clone()));
    tokio::spawn(upkeep(app.clone()));
    let ending = app.ending.clone();
    let drained = async {
        app.ending.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { ending.cancelled().await });
    tokio::select! {
        result = server.into_future() => result,
        () = drained => {
            tracing::warn!("some requests did not end in {} seconds", DRAIN.as_secs());
            Ok(())
        }
    }
}

async fn upkeep(app: App) {
    while !app.ending.is_cancelled() {
        app.metrics.run_upkeep();
        tokio::time::sleep(UPKEEP).await;
    }
}
