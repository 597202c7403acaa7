//! One of the two accounts, as the witness reads it: its connection, and what to do when a server breaks off at a
//! message that it cannot deliver.

use super::compare::Reading;
use crate::{
    Digests, Driver, Fault, FaultKind, FolderTotals, MessageHead, ReadMessage, Reader, RemoteFolder, UidSet,
    verify::head,
};
use async_trait::async_trait;
use std::collections::HashMap;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How often a connection may break off at the same message before that message is taken for the cause, and how often
/// at all.
const GUILTY: u32 = 3;
const BREAKS: u32 = 60;

/// An account and its connection.
pub(super) struct Side<'a> {
    driver: &'a dyn Driver,
    pub reader: Box<dyn Reader>,
    open: Option<RemoteFolder>,
}

impl<'a> Side<'a> {
    pub async fn connect(driver: &'a dyn Driver) -> Result<Self, Fault> {
        Ok(Self { driver, reader: driver.reader().await?, open: None })
    }

    /// Opens a folder and tells its UIDVALIDITY and number of messages.
    pub async fn open(&mut self, folder: &RemoteFolder) -> Result<(u32, u32), Fault> {
        let opened = self.reader.open(folder).await?;
        self.open = Some(folder.clone());
        Ok(opened)
    }

    /// Opens a folder unless it is open.
    pub async fn reopen(&mut self, folder: &RemoteFolder) -> Result<(), Fault> {
        if self.open.as_ref() != Some(folder) {
            self.open(folder).await?;
        }
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<(), Fault> {
        self.reader = self.driver.reader().await?;
        if let Some(folder) = self.open.take() {
            self.open(&folder).await?;
        }
        Ok(())
    }

    /// Reads these messages of the open folder, by ascending UID, and digests them.
    pub async fn readings(
        &mut self,
        wanted: &[(u32, u64)],
        cancel: &CancellationToken,
    ) -> Result<HashMap<u32, Reading>, Fault> {
        let mut found: HashMap<u32, Reading> = HashMap::with_capacity(wanted.len());
        let mut rest = wanted.to_vec();
        let (mut suspect, mut strikes, mut breaks) = (None, 0, 0);
        while !rest.is_empty() {
            let (out, mut digests) = mpsc::channel(64);
            let collect = async {
                while let Some((uid, read)) = digests.recv().await {
                    found.insert(uid, Reading::Read(read));
                    if cancel.is_cancelled() {
                        break;
                    }
                }
                drop(digests);
            };
            // On a thread of its own: both sides are parsed and digested at the same time.
            let mut reader = std::mem::replace(&mut self.reader, Box::new(Away));
            let asked = rest.clone();
            let reading = tokio::spawn(async move {
                let read = reader.digest(&asked, out).await;
                (reader, read)
            });
            let (ended, ()) = tokio::join!(reading, collect);
            let (reader, read) = ended.map_err(|e| {
                Fault::new(FaultKind::Internal, "The witness stopped while it read messages. Verify again.").because(e)
            })?;
            self.reader = reader;
            if cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let Err(fault) = read else { break };
            breaks += 1;
            if !is_of_a_message(&fault) || breaks > BREAKS {
                return Err(fault);
            }
            rest.retain(|(uid, _)| !found.contains_key(uid));
            let first = rest.first().map(|(uid, _)| *uid);
            strikes = if first == suspect { strikes + 1 } else { 1 };
            suspect = first;
            if let Some(uid) = first.filter(|_| strikes >= GUILTY) {
                found.insert(uid, Reading::Unreadable(fault.sentence));
                rest.remove(0);
            }
            self.reconnect().await?;
        }
        for (uid, _) in wanted {
            found.entry(*uid).or_insert(Reading::Gone);
        }
        Ok(found)
    }

    /// The bytes of one message; `None` when it is not there, cannot be read, or has more than `most`.
    pub async fn bytes(&mut self, uid: u32, most: u64) -> Result<Option<Vec<u8>>, Fault> {
        match self.reader.bytes(uid, most).await {
            Err(fault) if is_of_a_message(&fault) => {
                self.reconnect().await?;
                Ok(None)
            }
            read => read,
        }
    }

    /// The headers of these messages of the open folder, in no certain order; of those that the server does not
    /// deliver there are none.
    pub async fn heads(&mut self, uids: &UidSet) -> Result<Vec<MessageHead>, Fault> {
        let (out, mut blocks) = mpsc::channel::<(u32, Vec<u8>)>(64);
        let mut heads = Vec::new();
        let collect = async {
            while let Some((uid, block)) = blocks.recv().await {
                heads.push(head::read(uid, &block));
            }
        };
        let (read, ()) = tokio::join!(self.reader.heads(uids, out), collect);
        match read {
            Err(fault) if is_of_a_message(&fault) => self.reconnect().await?,
            read => read?,
        }
        Ok(heads)
    }
}

/// Stands in for a reader while that one is at work elsewhere; nothing reaches it.
struct Away;

impl Away {
    fn fault() -> Fault {
        Fault::new(FaultKind::Internal, "The witness is at work elsewhere.")
    }
}

#[async_trait]
impl Reader for Away {
    async fn folders(&mut self) -> Result<Vec<RemoteFolder>, Fault> {
        Err(Self::fault())
    }
    async fn totals(&mut self, _: &[&RemoteFolder]) -> Result<Vec<Option<FolderTotals>>, Fault> {
        Err(Self::fault())
    }
    async fn open(&mut self, _: &RemoteFolder) -> Result<(u32, u32), Fault> {
        Err(Self::fault())
    }
    async fn read(&mut self, _: Option<&UidSet>, _: mpsc::Sender<ReadMessage>) -> Result<(), Fault> {
        Err(Self::fault())
    }
    async fn digest(&mut self, _: &[(u32, u64)], _: mpsc::Sender<(u32, Digests)>) -> Result<(), Fault> {
        Err(Self::fault())
    }
    async fn heads(&mut self, _: &UidSet, _: mpsc::Sender<(u32, Vec<u8>)>) -> Result<(), Fault> {
        Err(Self::fault())
    }
    async fn bytes(&mut self, _: u32, _: u64) -> Result<Option<Vec<u8>>, Fault> {
        Err(Self::fault())
    }
    async fn close(&mut self) {}
}

/// Whether a single message may have brought a fault about.
fn is_of_a_message(fault: &Fault) -> bool {
    fault.breaks_the_line() || fault.kind == FaultKind::Refused
}
