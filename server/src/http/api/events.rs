//! A run as it happens, by server-sent events.
//!
//! `event: view` is the run with its steps whenever it changed, `event: log` a line of its log with the line's id,
//! `event: end` says that nothing more will come. A reader that was cut off sends `Last-Event-ID` (every browser does)
//! and goes on after that line.

use crate::http::{
    App,
    error::Answer,
    extract::{Path, Query},
    identity::Caller,
};
use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::Stream;
use gatepost_contract::{EventId, RunId, RunView};
use gatepost_core::{Actor, Gatepost};
use http::HeaderMap;
use serde::Deserialize;
use std::{convert::Infallible, time::Duration};
use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Runs of other processes announce nothing here; they are looked at this often.
const POLL: Duration = Duration::from_secs(1);
/// However fast a run changes, its view is not sent more often.
const AT_MOST_EVERY: Duration = Duration::from_millis(200);
/// A stream ends after this long and the reader comes back: whether they may still look is then asked again.
const LONGEST: Duration = Duration::from_secs(15 * 60);
const LINES_AT_ONCE: u32 = 200;

/// Where to begin.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only log lines after this id; `Last-Event-ID` wins.
    #[serde(default)]
    #[param(value_type = Option<i64>)]
    after: Option<EventId>,
    /// False: no log lines, views alone.
    #[serde(default)]
    log: Option<bool>,
}

/// Follow a run
///
/// Server-sent events: `view` (the run with its steps) on every change, `log` (a line, resumable by `Last-Event-ID`),
/// and `end` when the run is final.
#[utoipa::path(get, path = "/migration/runs/{id}/events", tag = "runs",
    params(("id" = i64, Path, description = "The run"), EventsQuery),
    responses((status = 200, description = "The events", body = String, content_type = "text/event-stream")))]
pub async fn follow(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(run): Path<RunId>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    // Subscribed before the first look, so that no change falls between the two.
    let changes = app.core.changes();
    let view = app.core.get_run(&actor, run).await?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let (events, receiver) = mpsc::channel(32);
    let follower = Follower {
        core: app.core,
        actor,
        run,
        after: last.or(query.after),
        with_log: query.log != Some(false),
        events,
        ending: app.ending,
    };
    tokio::spawn(follower.run(view, changes));
    Ok(Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

struct Follower {
    core: Gatepost,
    actor: Actor,
    run: RunId,
    after: Option<EventId>,
    with_log: bool,
    events: mpsc::Sender<Result<Event, Infallible>>,
    ending: CancellationToken,
}

/// The reader has gone, or the run cannot be read any more.
struct Over;

impl Follower {
    async fn run(mut self, view: RunView, mut changes: broadcast::Receiver<RunId>) {
        let until = Instant::now() + LONGEST;
        let mut view = view;
        let mut sent: Option<RunView> = None;
        while Instant::now() < until {
            if sent.as_ref() != Some(&view) && self.send("view", None, &view).await.is_err() {
                return;
            }
            if self.send_log().await.is_err() {
                return;
            }
            if view.run.status.is_final() {
                // Lines that were written between the look at the run and the end of its log.
                let _ = self.send_log().await;
                let _ = self.events.send(Ok(Event::default().event("end").data("{}"))).await;
                return;
            }
            sent = Some(view);
            if self.wait(&mut changes).await.is_err() {
                return;
            }
            view = match self.core.get_run(&self.actor, self.run).await {
                Ok(view) => view,
                Err(error) => {
                    tracing::warn!(run = %self.run, %error, "a followed run could not be read");
                    return;
                }
            };
        }
    }

    async fn wait(&self, changes: &mut broadcast::Receiver<RunId>) -> Result<(), Over> {
        let earliest = tokio::time::sleep(AT_MOST_EVERY);
        let latest = tokio::time::sleep(POLL);
        let changed = async {
            loop {
                match changes.recv().await {
                    Ok(run) if run == self.run => return,
                    Ok(_) => {}
                    // Too many to keep; ours may have been among them.
                    Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = async { tokio::join!(earliest, changed); } => Ok(()),
            () = latest => Ok(()),
            () = self.events.closed() => Err(Over),
            () = self.ending.cancelled() => Err(Over),
        }
    }

    async fn send_log(&mut self) -> Result<(), Over> {
        while self.with_log {
            let lines = match self.core.run_log(&self.actor, self.run, self.after, LINES_AT_ONCE).await {
                Ok(lines) => lines,
                // The run is there still, and says so itself.
                Err(gatepost_core::Error::LogRemoved(_)) => Vec::new(),
                Err(error) => {
                    tracing::warn!(run = %self.run, %error, "a followed log could not be read");
                    return Err(Over);
                }
            };
            for line in &lines {
                self.send("log", Some(line.id), line).await?;
                self.after = Some(line.id);
            }
            if lines.len() < LINES_AT_ONCE as usize {
                break;
            }
        }
        Ok(())
    }

    async fn send(&self, name: &str, id: Option<EventId>, data: &impl serde::Serialize) -> Result<(), Over> {
        let event = Event::default().event(name).json_data(data).map_err(|_| Over)?;
        let event = if let Some(id) = id { event.id(id.to_string()) } else { event };
        tokio::select! {
            sent = self.events.send(Ok(event)) => sent.map_err(|_| Over),
            () = self.ending.cancelled() => Err(Over),
        }
    }
}
