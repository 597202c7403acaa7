//! An IMAP account as a source: lists and streams messages. Opens with EXAMINE and fetches with BODY.PEEK only;
//! the same reading serves a destination, which opens with SELECT.

use crate::{
    fetch::{self, UidPlace},
    gmail::{self, GmailLabels, Labels},
    mailbox::Mode,
    session::Session,
    wire::Command,
};
use async_trait::async_trait;
use gatepost_transfer::{
    ChangedSince, Fault, Flags, FolderState, Incoming, Limits, MessageMeta, RemoteFolder, Source, Surveyed, UidSet,
    Which,
};
use tokio::sync::mpsc;

pub(crate) struct ImapSource {
    pub(crate) session: Session,
    mode: Mode,
    uid_place: UidPlace,
    /// On Gmail, which folder a message belongs into.
    labels: Option<Labels>,
}

impl ImapSource {
    pub(crate) fn new(session: Session, mode: Mode) -> Self {
        Self { session, mode, uid_place: UidPlace::Unknown, labels: None }
    }

    /// The same, where labels of Gmail decide which folder a message belongs into.
    pub(crate) fn with_labels(self, rule: Option<GmailLabels>) -> Self {
        let labels = rule.filter(|_| self.session.offers(gmail::CAPABILITY)).map(Labels::new);
        Self { labels, ..self }
    }
}

#[async_trait]
impl Source for ImapSource {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        self.session.read_limits().await
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        let mut folders = self.session.list_folders().await?;
        if let Some(labels) = &mut self.labels {
            labels.learn(folders.iter_mut());
        }
        Ok(folders)
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        let mut surveyed = self.session.survey().await?;
        if let Some(labels) = &mut self.labels {
            labels.learn(surveyed.iter_mut().map(|s| &mut s.folder));
            for Surveyed { folder, status } in &mut surveyed {
                if let Some(state) = status {
                    labels.qualify(folder, state);
                }
            }
        }
        Ok(surveyed)
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        if self.labels.as_ref().is_some_and(|labels| labels.needs_folders(folder)) {
            self.folders().await?;
        }
        self.session.filter = None;
        let mut state = self.session.open_folder(folder, self.mode).await?;
        if let Some(labels) = &self.labels {
            self.session.filter = labels.filter(folder);
            labels.qualify(folder, &mut state);
        }
        Ok(state)
    }

    async fn list(&mut self, which: Which, out: mpsc::Sender<MessageMeta>) -> Result<(), Fault> {
        self.session.list_messages(&which, &out).await
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        self.session.list_uids().await
    }

    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        self.session.list_flags(uids).await
    }

    async fn changed(&mut self, up_to_uid: u32, since: u64) -> Result<Option<ChangedSince>, Fault> {
        self.session.changed(up_to_uid, since).await
    }

    async fn fetch(&mut self, wanted: mpsc::Receiver<UidSet>, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        fetch::fetch(&mut self.session, &mut self.uid_place, wanted, out).await
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        self.session.run_ok(&Command::new("NOOP"), |_| {}).await?;
        Ok(())
    }

    async fn close(&mut self) {
        self.session.log_out().await;
    }
}
