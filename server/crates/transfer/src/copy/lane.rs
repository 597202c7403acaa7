//! A lane: one connection to the source and one to the destination, and the loop that works with them.
//!
//! A lane connects when there is work for it. What it does after a fault depends on what broke: a folder by itself is
//! given up and named; a broken line is tried again with growing pauses, as long as there is some progress in between;
//! a lane that gets no connection leaves its work to the others, which is how the number of connections that a server
//! grants is found out.

use super::{
    Copy, FAR, Folder, Lines,
    board::{Board, Left, Next},
    stream,
    survey::Ready,
};
use crate::{Fault, FaultKind, budget::Granted};
use gatepost_contract::Level;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// The longest pause before trying again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a lane without work shows its servers that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(120);

/// What a lane works with while it is connected.
pub(super) struct Connected {
    pub lines: Lines,
    pub _granted: (Granted, Granted),
    /// The folder that is open at the source.
    open: Option<usize>,
    /// How long it took to connect and log in.
    took: Duration,
}

impl Connected {
    pub fn new(lines: Lines, granted: (Granted, Granted), took: Duration) -> Self {
        Self { lines, _granted: granted, open: None, took }
    }

    /// Whether the servers are far away.
    pub fn is_far(&self) -> bool {
        self.took > FAR
    }
}

pub(super) struct Lane<'a> {
    pub number: usize,
    pub copy: &'a Copy<'a>,
    pub board: &'a Board<'a>,
    pub folders: &'a [Folder<'a>],
    pub pace: stream::Pace,
    pub connected: Option<Connected>,
    /// Whether this lane was ever connected.
    pub proven: bool,
}

/// A lane has stopped for good.
struct Retired;

/// Whether a lane can work.
enum Line {
    Ready,
    /// Not now: its servers could not be reached.
    Later(Instant),
    /// It leaves the work to the others.
    Retired,
}

impl Lane<'_> {
    pub async fn run(mut self) {
        loop {
            let next = match self.wait_for_work().await {
                Ok(next) => next,
                Err(fault) => {
                    // The line was lost while nothing was done with it: it is made anew when there is work.
                    tracing::debug!("an idle connection was lost: {fault}");
                    self.connected = None;
                    continue;
                }
            };
            let retired = match next {
                Next::End => break,
                Next::Survey(n) => self.survey(n).await,
                Next::Send(n, ready) => self.send(n, &ready).await,
            };
            if retired.is_err() {
                break;
            }
        }
        if let Some(mut connected) = self.connected.take() {
            tokio::join!(connected.lines.source.close(), connected.lines.dest.close());
        }
    }

    async fn wait_for_work(&mut self) -> Result<Next, Fault> {
        loop {
            let next = self.board.next();
            let Some(connected) = &mut self.connected else { return Ok(next.await) };
            tokio::select! {
                next = next => return Ok(next),
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    let Lines { source, dest, .. } = &mut connected.lines;
                    tokio::try_join!(source.keep_alive(), dest.keep_alive())?;
                }
            }
        }
    }

    /// Connects where the lane is not connected.
    async fn line(&mut self) -> Line {
        if self.connected.is_some() {
            return Line::Ready;
        }
        // A further lane does not wait for a connection that others hold.
        let result = if self.proven || self.board.lanes() <= 1 {
            self.copy.connect().await
        } else {
            match self.copy.try_connect() {
                Some(granted) => self.copy.connect_with(granted).await,
                None => Err(Fault::new(FaultKind::Throttled, "The host's budget grants no further connection.")),
            }
        };
        match result {
            Ok(connected) => {
                self.connected = Some(connected);
                self.proven = true;
                Line::Ready
            }
            Err(fault) => {
                let lanes = self.board.lanes();
                if (!self.proven || refuses_connections(&fault)) && self.board.retire() {
                    self.copy.watch.note(
                        Level::Info,
                        "connection",
                        format!("Going on with {} connections to each server: {}", lanes - 1, fault.sentence),
                    );
                    return Line::Retired;
                }
                Line::Later(self.after(fault))
            }
        }
    }

    async fn survey(&mut self, n: usize) -> Result<(), Retired> {
        match self.line().await {
            Line::Ready => {}
            Line::Later(at) => {
                self.board.requeue(n, at);
                pause(self.copy, at).await;
                return Ok(());
            }
            Line::Retired => {
                self.board.requeue(n, Instant::now());
                return Err(Retired);
            }
        }
        let folder = &self.folders[n];
        let Some(connected) = &mut self.connected else { return Ok(()) };
        connected.open = Some(n);
        let found = if self.copy.options.dry_run {
            self.copy.dry(&mut connected.lines, folder).await.map(|()| None)
        } else {
            Box::pin(self.copy.survey(&mut connected.lines, folder)).await
        };
        match found {
            Ok(Some(ready)) if !self.copy.options.record_only => {
                let ready = Arc::new(ready);
                self.board.publish(n, ready.clone(), folder.is_delicate());
                self.send(n, &ready).await
            }
            Ok(_) => {
                if !self.copy.options.dry_run {
                    self.copy.finished(folder);
                }
                self.board.done(n);
                Ok(())
            }
            Err(fault) => {
                self.connected = None;
                self.broke_off(n, fault, |board, at| board.requeue(n, at));
                Ok(())
            }
        }
    }

    async fn send(&mut self, n: usize, ready: &Arc<Ready>) -> Result<(), Retired> {
        let line = self.line().await;
        let mut not_before = None;
        if matches!(line, Line::Ready) {
            let folder = &self.folders[n];
            if let Err(fault) = self.send_chunks(n, folder, ready).await {
                self.connected = None;
                self.board.drain(n);
                self.broke_off(n, fault, |_, when| not_before = Some(when));
            }
        }
        if matches!(self.board.leave(n, not_before), Left::Finish) {
            self.finish(n, ready).await;
        }
        match line {
            Line::Ready => Ok(()),
            Line::Later(at) => {
                pause(self.copy, at).await;
                Ok(())
            }
            Line::Retired => Err(Retired),
        }
    }

    async fn send_chunks(&mut self, n: usize, folder: &Folder<'_>, ready: &Ready) -> Result<(), Fault> {
        let Some(connected) = &mut self.connected else { return Ok(()) };
        if connected.open != Some(n) {
            let state = connected.lines.source.open(folder.source()).await?;
            connected.open = Some(n);
            if state.uid_validity != ready.source_epoch {
                return Err(Fault::new(
                    FaultKind::Lost,
                    format!("{}: the source numbers its messages anew.", folder.path()),
                ));
            }
        }
        let sending =
            stream::send(self.copy, (self.board, self.number, &self.pace), folder, ready, &mut connected.lines);
        let (sent, result) = Box::pin(sending).await;
        // What was acknowledged before a fault counts: it is in the ledger.
        self.copy.count(|outcome| {
            outcome.transferred += sent.messages;
            outcome.bytes += sent.bytes;
            outcome.quarantined += sent.refused;
        });
        folder.add_sent(sent);
        result
    }

    /// Everything was sent: this lane, the last, ends the folder.
    async fn finish(&mut self, n: usize, ready: &Ready) {
        let folder = &self.folders[n];
        if ready.has_nameless() {
            let Some(connected) = &mut self.connected else { return self.board.requeue(n, Instant::now()) };
            connected.open = Some(n);
            let learn = async {
                connected.lines.dest.open(&ready.target).await?;
                // The source is read where the ledger does not suffice.
                connected.lines.source.open(folder.source()).await?;
                self.copy.learn_uids(&mut connected.lines, folder).await
            };
            if let Err(fault) = learn.await {
                self.connected = None;
                return self.broke_off(n, fault, |board, at| board.requeue(n, at));
            }
        }
        match self.copy.standing_of(folder).await {
            Ok(standing) => folder.stands(standing),
            Err(fault) => return self.board.fail(fault),
        }
        self.copy.finished(folder);
        self.board.done(n);
    }

    /// What a fault means for the folder and for the copy.
    fn broke_off(&self, n: usize, fault: Fault, again: impl FnOnce(&Board<'_>, Instant)) {
        let folder = &self.folders[n];
        if fault.kind == FaultKind::Cancelled || self.copy.cancel.is_cancelled() {
            self.copy.watch.end(n, Ok(Some(Fault::cancelled().sentence)));
            self.copy.count(|outcome| outcome.cancelled = true);
            return;
        }
        if fault.concerns_folder_alone() {
            self.copy.watch.note(Level::Error, "folder", format!("{}: {}", folder.path(), fault.sentence));
            self.copy.watch.end(n, Err(fault.sentence.clone()));
            self.copy.count(|outcome| outcome.failed_folders.push((folder.path().to_string(), fault.sentence)));
            self.board.give_up(n);
            return;
        }
        let at = self.after(fault);
        again(self.board, at);
    }

    /// When to try again after a fault; a fault that trying again does not cure ends the copy.
    fn after(&self, fault: Fault) -> Instant {
        let now = Instant::now();
        if self.copy.cancel.is_cancelled() {
            return now;
        }
        let throttled = fault.kind == FaultKind::Throttled;
        // A server that asks for patience gets more of it.
        let patience = self.copy.options.patience.saturating_mul(if throttled { 10 } else { 1 });
        let first = self.copy.options.pause;
        let (tries, until, new) = self.board.another_try(|tries| {
            let grown = first.saturating_mul(1 << (tries - 1).min(6)).min(LONGEST_PAUSE);
            let pause = fault.retry_after.map_or(grown, |asked| asked.max(first));
            // Runs that broke off together shall not come back together.
            pause.mul_f64(rand::random_range(0.8..1.2))
        });
        if !may_pass(&fault) || tries > patience {
            self.board.fail(fault);
            return now;
        }
        if new {
            let pause = until - now;
            let clock = time::OffsetDateTime::now_utc() + pause;
            self.copy.watch.note(
                Level::Warn,
                "connection",
                format!(
                    "{} Trying again in {:.0} s, at {:02}:{:02}:{:02} UTC (attempt {tries} of {patience}).",
                    fault.sentence,
                    pause.as_secs_f64().ceil(),
                    clock.hour(),
                    clock.minute(),
                    clock.second(),
                ),
            );
        }
        if throttled {
            self.board.hold_until(until);
        }
        until
    }
}

async fn pause(copy: &Copy<'_>, until: Instant) {
    tokio::select! {
        () = tokio::time::sleep_until(until) => {}
        () = copy.cancel.cancelled() => {}
    }
}

/// Whether a server said that this connection is one too many.
fn refuses_connections(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Throttled | FaultKind::Login)
}

/// Whether trying again may help: a server that once let us in may be down for a while.
fn may_pass(fault: &Fault) -> bool {
    fault.is_transient() || matches!(fault.kind, FaultKind::Unreachable | FaultKind::WrongService)
}
