//! Files as a source of the engine.

use super::{apart::apart, opened::Generated, opened::Opened};
use async_trait::async_trait;
use gatepost_transfer::{
    ChangedSince, Fault, FaultKind, Flags, FolderState, Incoming, Limits, MessageMeta, RemoteFolder, Source, Surveyed,
    UidSet, Which,
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// One line of reading.
pub(super) struct ArchiveSource {
    pub opened: Arc<Opened>,
    pub folder: Option<usize>,
}

impl ArchiveSource {
    fn opened_folder(&self) -> Result<usize, Fault> {
        self.folder.ok_or_else(not_open)
    }
}

/// Nothing was opened before it was read.
pub(super) fn not_open() -> Fault {
    Fault::new(FaultKind::Internal, "A folder of a file was read that was not opened.")
}

/// The folder of this path.
pub(super) fn find(opened: &Opened, folder: &RemoteFolder) -> Result<usize, Fault> {
    opened.folder(&folder.path).ok_or_else(|| {
        Fault::new(FaultKind::FolderGone, format!("The folder {} is in none of the files any more.", folder.path))
    })
}

#[async_trait]
impl Source for ArchiveSource {
    async fn limits(&mut self) -> Result<Limits, Fault> {
        Ok(Limits { server: Some(self.opened.formats()), ..Limits::default() })
    }

    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        Ok(self.opened.folders.iter().map(|f| f.remote.clone()).collect())
    }

    async fn survey(&mut self) -> Result<Vec<Surveyed>, Fault> {
        let surveyed = |f: &super::account::AccountFolder| Surveyed {
            folder: f.remote.clone(),
            status: Some(f.state(self.opened.epoch)),
        };
        Ok(self.opened.folders.iter().map(surveyed).collect())
    }

    async fn open(&mut self, folder: &RemoteFolder) -> Result<FolderState, Fault> {
        self.opened.check()?;
        let found = find(&self.opened, folder)?;
        self.folder = Some(found);
        Ok(self.opened.folders[found].state(self.opened.epoch))
    }

    async fn list(&mut self, which: Which, out: mpsc::Sender<MessageMeta>) -> Result<(), Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.opened_folder()?);
        apart(move |line| {
            let meta = |uid, entry: crate::Entry| MessageMeta {
                uid,
                size: entry.size(),
                internal_date: entry.internal_date,
                flags: entry.flags,
            };
            match which {
                Which::From(from) => opened.each(folder, from, |uid, entry| Ok(line.send(&out, meta(uid, entry)))),
                Which::These(uids) => {
                    for uid in there(&opened, folder, &uids).iter() {
                        let Some(entry) = opened.entry(folder, uid)? else { continue };
                        if !line.send(&out, meta(uid, entry)) {
                            break;
                        }
                    }
                    Ok(())
                }
            }
        })
        .await
    }

    async fn uids(&mut self) -> Result<UidSet, Fault> {
        Ok(self.opened.folders[self.opened_folder()?].uids())
    }

    async fn flags(&mut self, uids: &UidSet) -> Result<Vec<(u32, Flags)>, Fault> {
        let (opened, folder, uids) = (Arc::clone(&self.opened), self.opened_folder()?, uids.clone());
        apart(move |_| {
            let mut flags = Vec::new();
            for uid in there(&opened, folder, &uids).iter() {
                flags.extend(opened.entry(folder, uid)?.map(|entry| (uid, entry.flags)));
            }
            Ok(flags)
        })
        .await
    }

    async fn changed(&mut self, _: u32, _: u64) -> Result<Option<ChangedSince>, Fault> {
        Ok(None)
    }

    async fn message_ids(&mut self, out: mpsc::Sender<(u32, String)>) -> Result<bool, Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.opened_folder()?);
        apart(move |line| {
            opened.each(folder, 1, |uid, entry| Ok(entry.message_id.is_none_or(|id| line.send(&out, (uid, id)))))?;
            Ok(true)
        })
        .await
    }

    async fn fetch(&mut self, mut wanted: mpsc::Receiver<UidSet>, out: mpsc::Sender<Incoming>) -> Result<(), Fault> {
        let (opened, folder) = (Arc::clone(&self.opened), self.opened_folder()?);
        apart(move |line| {
            while let Some(set) = line.next(&mut wanted, &out) {
                for uid in set.iter() {
                    let goes_on = match opened.generate(folder, uid, &line.stop)? {
                        None => line.send(&out, Incoming::Gone { uid }),
                        Some(Generated::Unreadable(words)) => line.send(&out, Incoming::Unreadable { uid, words }),
                        Some(Generated::Whole(mut message)) => {
                            let size = message.digests().size;
                            line.send(&out, Incoming::Begin { uid, size })
                                && message
                                    .give(|piece| line.send(&out, Incoming::Data(piece)))
                                    .map_err(|error| Fault::from(crate::ArchiveError::Io(error)))?
                                && line.send(&out, Incoming::End)
                        }
                    };
                    if !goes_on {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
        .await
    }

    async fn keep_alive(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    async fn close(&mut self) {}
}

/// Those of these UIDs that are there: a set may name far more.
pub(super) fn there(opened: &Opened, folder: usize, uids: &UidSet) -> UidSet {
    let all = opened.folders[folder].uids();
    all.minus(&all.minus(uids))
}
