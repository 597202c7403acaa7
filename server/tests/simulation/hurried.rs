//! Connections as the IMAP crate makes them, to servers whose wishes for a pause of minutes last a millisecond, and
//! which never need longer than the engine's pause to carry out what a broken connection left with them: a folder is
//! opened only when they have. Without that, the outcome would depend on the machine's load.

use async_trait::async_trait;
use gatepost_imap::ImapDriver;
use gatepost_testkit::scripted::Sessions;
use gatepost_transfer::{
    Appended, ChangedSince, Destination, Driver, Fault, Flags, FolderPath, FolderState, Incoming, Limits, MessageMeta,
    Outgoing, Reader, RemoteFolder, Source, Surveyed, UidSet, Which,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{Receiver, Sender};

pub struct Hurried {
    driver: ImapDriver,
    open: Open,
}

impl Hurried {
    pub fn new(driver: ImapDriver, sessions: Sessions) -> Self {
        Self { driver, open: Open { sessions, lines: Arc::default() } }
    }
}

/// The server's connections, and how many of them have a line on our side.
#[derive(Clone)]
struct Open {
    sessions: Sessions,
    lines: Arc<AtomicUsize>,
}

impl Open {
    /// From when the connection stands to its end: one that is only being made is none that the server may have.
    fn begin(&self) -> Counted {
        self.lines.fetch_add(1, Ordering::SeqCst);
        Counted(self.clone())
    }
}

struct Counted(Open);

impl Counted {
    async fn settled(&self) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !self.0.sessions.are_at_most(self.0.lines.load(Ordering::SeqCst)) {
            assert!(Instant::now() < deadline, "a session does not end");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lines.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Line<T: ?Sized> {
    // Dropped after the line: its session may end a moment later.
    line: Box<T>,
    open: Counted,
}

fn hurry<T>(result: Result<T, Fault>) -> Result<T, Fault> {
    result.map_err(|mut fault| {
        fault.retry_after = fault.retry_after.map(|_| Duration::from_millis(1));
        fault
    })
}

#[async_trait]
impl Driver for Hurried {
    fn label(&self) -> String {
        self.driver.label()
    }

    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        let line = hurry(self.driver.source().await)?;
        Ok(Box::new(Line { line, open: self.open.begin() }))
    }

    async fn destination(&self) -> Result<Box<dyn Destination>, Fault> {
        let line = hurry(self.driver.destination().await)?;
        Ok(Box::new(Line { line, open: self.open.begin() }))
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Fault> {
        hurry(self.driver.reader().await)
    }
}

#[async_trait]
impl<T: Source + ?Sized> Source for Line<T> {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        hurry(self.line.limits().await)
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        hurry(self.line.folders().await)
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        hurry(self.line.survey().await)
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        self.open.settled().await;
        hurry(self.line.open(folder).await)
    }

    async fn list(&mut self, which: Which, out: Sender<MessageMeta>) -> Result<(), Fault> {
        hurry(self.line.list(which, out).await)
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        hurry(self.line.uids().await)
    }

    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        hurry(self.line.flags(uids).await)
    }

    async fn changed(&mut self, up_to_uid: u32, since: u64) -> Result<Option<ChangedSince>, Fault> {
        hurry(self.line.changed(up_to_uid, since).await)
    }

    async fn fetch(&mut self, wanted: Receiver<UidSet>, out: Sender<Incoming>) -> Result<(), Fault> {
        hurry(self.line.fetch(wanted, out).await)
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        hurry(self.line.keep_alive().await)
    }

    async fn close(&mut self) {
        self.line.close().await;
    }
}

#[async_trait]
impl<T: Destination + ?Sized> Destination for Line<T> {
    async fn create(&mut self, paths: &[FolderPath]) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        Ok(hurry(self.line.create(paths).await)?.into_iter().map(hurry).collect())
    }

    async fn append(
        &mut self,
        folder: &RemoteFolder,
        uid_validity: u32,
        input: Receiver<Outgoing>,
        results: Sender<Appended>,
    ) -> Result<(), Fault> {
        hurry(self.line.append(folder, uid_validity, input, results).await)
    }

    async fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        hurry(self.line.set_flags(changes).await)
    }
}
