//! Connections as the IMAP crate makes them, to servers whose wishes for a pause of minutes last a millisecond.

use async_trait::async_trait;
use gatepost_imap::ImapDriver;
use gatepost_transfer::{
    Appended, ChangedSince, Destination, Driver, Fault, Flags, FolderPath, FolderState, Incoming, Limits, MessageMeta,
    Outgoing, Reader, RemoteFolder, Source, Surveyed, UidSet, Which,
};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};

pub struct Hurried(pub ImapDriver);

struct Line<T: ?Sized>(Box<T>);

fn hurry<T>(result: Result<T, Fault>) -> Result<T, Fault> {
    result.map_err(|mut fault| {
        fault.retry_after = fault.retry_after.map(|_| Duration::from_millis(1));
        fault
    })
}

#[async_trait]
impl Driver for Hurried {
    fn label(&self) -> String {
        self.0.label()
    }

    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        Ok(Box::new(Line(hurry(self.0.source().await)?)))
    }

    async fn destination(&self) -> Result<Box<dyn Destination>, Fault> {
        Ok(Box::new(Line(hurry(self.0.destination().await)?)))
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Fault> {
        hurry(self.0.reader().await)
    }
}

#[async_trait]
impl<T: Source + ?Sized> Source for Line<T> {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        hurry(self.0.limits().await)
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        hurry(self.0.folders().await)
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        hurry(self.0.survey().await)
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        hurry(self.0.open(folder).await)
    }

    async fn list(&mut self, which: Which, out: Sender<MessageMeta>) -> Result<(), Fault> {
        hurry(self.0.list(which, out).await)
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        hurry(self.0.uids().await)
    }

    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        hurry(self.0.flags(uids).await)
    }

    async fn changed(&mut self, up_to_uid: u32, since: u64) -> Result<Option<ChangedSince>, Fault> {
        hurry(self.0.changed(up_to_uid, since).await)
    }

    async fn fetch(&mut self, wanted: Receiver<UidSet>, out: Sender<Incoming>) -> Result<(), Fault> {
        hurry(self.0.fetch(wanted, out).await)
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        hurry(self.0.keep_alive().await)
    }

    async fn close(&mut self) {
        self.0.close().await;
    }
}

#[async_trait]
impl<T: Destination + ?Sized> Destination for Line<T> {
    async fn create(&mut self, paths: &[FolderPath]) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        Ok(hurry(self.0.create(paths).await)?.into_iter().map(hurry).collect())
    }

    async fn append(
        &mut self,
        folder: &RemoteFolder,
        uid_validity: u32,
        input: Receiver<Outgoing>,
        results: Sender<Appended>,
    ) -> Result<(), Fault> {
        hurry(self.0.append(folder, uid_validity, input, results).await)
    }

    async fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        hurry(self.0.set_flags(changes).await)
    }
}
