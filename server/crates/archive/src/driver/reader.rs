//! Files as a witness reads them: from a scan of its own, made when the witness was asked for.

use super::{
    apart::apart,
    opened::{Generated, Opened},
    source::{find, not_open, there},
};
use crate::catalogue::HeadLines;
use async_trait::async_trait;
use gatepost_transfer::{Digests, Fault, FolderTotals, ReadMessage, Reader, RemoteFolder, UidSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A witness.
pub(super) struct ArchiveReader {
    pub opened: Arc<Opened>,
    pub folder: Option<usize>,
}

#[async_trait]
impl Reader for ArchiveReader {
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        Ok(self.opened.folders.iter().map(|f| f.remote.clone()).collect())
    }

    async fn totals(&mut self, folders: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault> {
        let totals = |folder: &&RemoteFolder| {
            let found = &self.opened.folders[self.opened.folder(&folder.path)?];
            Some(FolderTotals { messages: found.messages(), bytes: Some(found.bytes()) })
        };
        Ok(folders.iter().map(totals).collect())
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<(u32, u32), Fault> {
        self.opened.check()?;
        let found = find(&self.opened, folder)?;
        self.folder = Some(found);
        let state = self.opened.folders[found].state(self.opened.epoch);
        Ok((state.uid_validity, state.messages))
    }

    async fn read(&mut self, uids: Option<&UidSet>, out: mpsc::Sender<ReadMessage>) -> Result<(), Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.folder.ok_or_else(not_open)?);
        let uids = uids.cloned();
        apart(move |line| {
            let read = |uid, entry: crate::Entry| ReadMessage {
                uid,
                size: entry.size(),
                internal_date: entry.internal_date,
                flags: entry.flags,
                message_id: entry.message_id,
            };
            let Some(uids) = uids else {
                return opened.each(folder, 1, |uid, entry| Ok(line.send(&out, read(uid, entry))));
            };
            for uid in there(&opened, folder, &uids).iter() {
                let Some(entry) = opened.entry(folder, uid)? else { continue };
                if !line.send(&out, read(uid, entry)) {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    /// The digests were taken by the witness itself, when it read the file through.
    async fn digest(&mut self, wanted: &[(u32, u64)], out: mpsc::Sender<(u32, Digests)>) -> Result<(), Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.folder.ok_or_else(not_open)?);
        let wanted: Vec<u32> = wanted.iter().map(|(uid, _)| *uid).collect();
        apart(move |line| {
            for uid in wanted {
                let digests = opened.entry(folder, uid)?.and_then(|entry| entry.content.ok());
                if let Some(digests) = digests
                    && !line.send(&out, (uid, digests))
                {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    async fn heads(&mut self, uids: &UidSet, out: mpsc::Sender<(u32, Vec<u8>)>) -> Result<(), Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.folder.ok_or_else(not_open)?);
        let uids = uids.clone();
        apart(move |line| {
            for uid in there(&opened, folder, &uids).iter() {
                let Some(Generated::Whole(message)) = opened.generate(folder, uid, &line.stop)? else { continue };
                let mut lines = HeadLines::new(true);
                message
                    .give(|piece| {
                        lines.update(&piece);
                        !lines.is_through()
                    })
                    .map_err(|error| Fault::from(crate::ArchiveError::Io(error)))?;
                if !line.send(&out, (uid, lines.finish().1)) {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    async fn bytes(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.folder.ok_or_else(not_open)?);
        apart(move |line| {
            let there = opened.entry(folder, uid)?.is_some_and(|entry| entry.content.is_ok() && entry.size() <= most);
            if !there {
                return Ok(None);
            }
            let Some(Generated::Whole(message)) = opened.generate(folder, uid, &line.stop)? else { return Ok(None) };
            let mut bytes = Vec::new();
            message
                .give(|piece| {
                    bytes.extend_from_slice(&piece);
                    true
                })
                .map_err(|error| Fault::from(crate::ArchiveError::Io(error)))?;
            Ok(Some(bytes))
        })
        .await
    }

    async fn close(&mut self) {}
}
