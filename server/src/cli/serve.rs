//! `gatepost serve` and `gatepost worker`.

use super::{Exit, Outcome, is_watched, open::open, print_line};
use crate::{
    config::Config,
    http::{self, App, Site, Watched},
};
use anyhow::Context;
use clap::Args;
use gatepost_core::Gatepost;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// How long runs may take to be handed back.
const HAND_BACK: Duration = Duration::from_secs(30);
/// How long answers of providers are waited for after that.
const ANSWERS: Duration = Duration::from_secs(20);
/// Seconds; from what a cached answer takes to what a reader would give up on.
const DURATIONS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Seconds; from a delta that finds nothing new to a day.
const RUN_DURATIONS: &[f64] = &[1.0, 5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0];

/// Run the Desk, the API and a worker in one process
#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen, instead of GATEPOST_LISTEN; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Run a worker alone, on the same database as a server
#[derive(Debug, Args)]
pub struct Worker {
    /// Where /metrics and /healthz are answered, instead of GATEPOST_WORKER_LISTEN; without either, nowhere. Measurements
    /// take a service token with metrics:read, as those of the server do; listen on the loopback address, or on one that
    /// only Prometheus reaches
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Serves until a signal asks to end.
pub async fn run(serve: Serve, config: Config) -> Outcome {
    let site = Site::find(config.site_root.as_deref())?;
    let metrics = measuring()?;
    let listen = serve.listen.unwrap_or(config.listen);
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let core = open(&config).await?;
    let app = App {
        core: core.clone(),
        is_https: config.is_https(),
        trusted_proxies: config.trusted_proxies.clone().into(),
        embed_ancestors: config.embed_ancestors.as_str().into(),
        site,
        metrics,
        ending: ending_by_signal()?,
    };
    invite(&core, &config, address).await?;
    end_leftovers(&config);
    core.start_workers().await?;
    print_line(format_args!("Gatepost listens on http://{address}"))?;
    tell_service_manager("READY=1");
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    http::serve(app, listener).await;
    hand_back(&core).await;
    Ok(Exit::Done)
}

/// Starts measuring in this process.
fn measuring() -> anyhow::Result<PrometheusHandle> {
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("gatepost_http_request_duration_seconds".to_owned()), DURATIONS)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full("gatepost_run_duration_seconds".to_owned()), RUN_DURATIONS)
        })
        .context("the histograms' limits")?
        .install_recorder()
        .context("measuring cannot be started")?;
    gatepost_core::describe();
    Ok(metrics)
}

/// Works until a signal asks to end.
pub async fn worker(worker: Worker, config: Config) -> Outcome {
    let ending = ending_by_signal()?;
    let watched = match worker.listen.or(config.worker_listen) {
        Some(listen) => {
            let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
            Some((measuring()?, listener))
        }
        None => None,
    };
    let core = open(&config).await?;
    if !config.core.enabled {
        tracing::warn!("MIGRATION_ENABLED is false: the worker idles");
    }
    end_leftovers(&config);
    core.start_workers().await?;
    tracing::info!(workers = config.core.workers, "working");
    if let Some((_, listener)) = &watched {
        let address = listener.local_addr()?;
        print_line(format_args!("The worker is watched at http://{address}"))?;
        tracing::info!(%address, "answers /metrics and /healthz");
    }
    tell_service_manager("READY=1");
    match watched {
        Some((metrics, listener)) => http::watch(Watched { core: core.clone(), metrics, ending }, listener).await,
        None => ending.cancelled().await,
    }
    hand_back(&core).await;
    Ok(Exit::Done)
}

/// Ends external programs that a crash left running; those of another Gatepost on the same data go on.
fn end_leftovers(config: &Config) {
    match gatepost_tools::end_leftovers(&config.core.data_path.join("work")) {
        Ok(0) => {}
        Ok(count) => tracing::warn!(count, "external programs of an earlier start were still running and were ended"),
        Err(error) => tracing::warn!(%error, "external programs of an earlier start could not be looked for"),
    }
}

/// Tells systemd how far the service is (sd_notify(3)), where it was started by it.
fn tell_service_manager(state: &str) {
    use std::os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    };
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = match name.to_str().and_then(|name| name.strip_prefix('@')) {
        Some(hidden) => SocketAddr::from_abstract_name(hidden),
        None => SocketAddr::from_pathname(&name),
    }
    .and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, state, "the service manager could not be told");
    }
}

async fn hand_back(core: &Gatepost) {
    tell_service_manager("STOPPING=1");
    tracing::info!("ending: runs at work are handed back and go on with the next start");
    if tokio::time::timeout(HAND_BACK, core.shutdown()).await.is_err() {
        tracing::warn!("some runs did not end in {} seconds; the next start resumes them", HAND_BACK.as_secs());
    }
    // A refresh token that has just taken the place of another must not be lost.
    if tokio::time::timeout(ANSWERS, core.await_providers()).await.is_err() {
        tracing::warn!("a provider of OAuth 2 has not answered; consents may have to be given again");
    }
}

/// While there is no user, somebody must be able to become the first one.
async fn invite(core: &Gatepost, config: &Config, address: SocketAddr) -> anyhow::Result<()> {
    if let Some(path) = core.setup_link().await? {
        let base = config.core.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        eprintln!("There is no user yet. Make the first super admin here; the link works once:\n  {base}{path}");
    }
    Ok(())
}

/// A token that SIGTERM or SIGINT cancels. The second signal ends the process at once: every run is safe to kill.
pub fn ending_by_signal() -> anyhow::Result<CancellationToken> {
    let token = CancellationToken::new();
    let ending = token.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if again {
                std::process::exit(130);
            }
            if is_watched() {
                eprintln!("\nEnding cleanly; once more ends at once.");
            }
            ending.cancel();
        }
    });
    Ok(token)
}
