//! An IMAP account as a destination: makes folders, appends messages, sets flags. Deletes nothing.

use crate::{
    append,
    mailbox::Mode,
    session::Session,
    source::ImapSource,
    uids::Portions,
    wire::{Command, command::is_flag},
};
use async_trait::async_trait;
use gatepost_transfer::{
    Appended, ChangedSince, Destination, Fault, Flags, FolderPath, FolderState, Incoming, Limits, MessageMeta,
    Outgoing, RemoteFolder, Source, Surveyed, UidSet, Which,
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// How many UIDs one STORE names, and how many such commands are under way.
const STORE_PORTION: u32 = 1_000;
const STORE_COMMANDS: usize = 32;

pub(crate) struct ImapDestination {
    reading: ImapSource,
    /// What the server said it takes at most.
    append_limit: Option<u64>,
}

impl ImapDestination {
    pub(crate) fn new(session: Session) -> Self {
        let append_limit = session.capabilities.iter().find_map(|c| c.strip_prefix("APPENDLIMIT=")?.parse().ok());
        Self { reading: ImapSource::new(session, Mode::ReadWrite), append_limit }
    }
}

#[async_trait]
impl Source for ImapDestination {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        let limits = self.reading.limits().await?;
        self.append_limit = limits.append_limit;
        Ok(limits)
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        self.reading.folders().await
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        self.reading.survey().await
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        self.reading.open(folder).await
    }

    async fn list(&mut self, which: Which, out: mpsc::Sender<MessageMeta>) -> Result<(), Fault> {
        self.reading.list(which, out).await
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        self.reading.uids().await
    }

    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        self.reading.flags(uids).await
    }

    async fn changed(&mut self, up_to_uid: u32, since: u64) -> Result<Option<ChangedSince>, Fault> {
        self.reading.changed(up_to_uid, since).await
    }

    async fn fetch(&mut self, wanted: mpsc::Receiver<UidSet>, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        self.reading.fetch(wanted, out).await
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        self.reading.keep_alive().await
    }

    async fn close(&mut self) {
        self.reading.close().await;
    }
}

#[async_trait]
impl Destination for ImapDestination {
    async fn create(&mut self, paths: &[FolderPath]) -> Result<Vec<Result<RemoteFolder, Fault>>, Fault> {
        self.reading.session.create_folders(paths).await
    }

    async fn append(
        &mut self,
        folder: &RemoteFolder,
        uid_validity: u32,
        input: mpsc::Receiver<Outgoing>,
        results: mpsc::Sender<Appended>,
    ) -> Result<(), Fault> {
        append::append(&mut self.reading.session, folder, uid_validity, self.append_limit, input, results).await
    }

    async fn set_flags(&mut self, changes: &[(u32, Flags)]) -> Result<(), Fault> {
        let result = set_flags(&mut self.reading.session, changes).await;
        if result.is_err() {
            self.reading.session.connection.give_up();
        }
        result
    }
}

/// A flag list; a flag that is no atom cannot be sent and is left out.
pub(crate) fn flag_list(flags: &Flags) -> String {
    let sendable: Vec<&str> = flags.iter().filter(|flag| is_flag(flag)).collect();
    format!("({})", sendable.join(" "))
}

async fn set_flags(session: &mut Session, changes: &[(u32, Flags)]) -> Result<(), Fault> {
    let mut by_flags: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (uid, flags) in changes {
        by_flags.entry(flag_list(flags)).or_default().push(*uid);
    }
    let mut commands = Vec::new();
    for (flags, uids) in by_flags {
        let mut portions = Portions::of(&uids.into_iter().collect());
        while let Some(uids) = portions.next(STORE_PORTION) {
            commands.push(Command::new(format!("UID STORE {uids} FLAGS.SILENT {flags}")));
        }
    }
    let ends = session.run_each(&commands, STORE_COMMANDS, |_| {}).await?;
    for (command, done) in commands.iter().zip(ends) {
        if !done.is_ok() {
            return Err(session.refused(command, &done));
        }
    }
    Ok(())
}
