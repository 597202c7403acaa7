//! Which messages of a file the mailbox holds already: those of the same Message-Id and date of arrival in the folder that
//! they would go to, or of the same date and size where a message has no Message-Id.
//!
//! A figure for people, before anything is copied. The copy itself recognises messages by their bytes alone.

use crate::{Fault, FolderPath, InternalDate, MessageMeta, ReadMessage, Reader, RemoteFolder, Source};
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};
use tokio::sync::mpsc;

/// How many messages come at once.
const PORTION: usize = 1_000;

/// The destination as a witness sees it. Holds one folder at a time, in a few bytes for each message.
pub(super) struct Held<'a> {
    reader: &'a mut dyn Reader,
    folders: Vec<RemoteFolder>,
    /// The folder that was read last, with how often each message is there.
    open: Option<(FolderPath, HashMap<u64, u32>)>,
}

impl<'a> Held<'a> {
    pub async fn new(reader: &'a mut dyn Reader) -> Result<Self, Fault> {
        let folders = reader.folders().await?;
        Ok(Self { reader, folders, open: None })
    }

    /// How many of these messages of the source's open folder are in a folder of the destination. Each of its messages
    /// stands for one.
    pub async fn count(
        &mut self,
        source: &mut dyn Source,
        listing: &[MessageMeta],
        dest: &FolderPath,
    ) -> Result<u64, Fault> {
        if listing.is_empty() {
            return Ok(0);
        }
        let held = self.read(dest).await?;
        if held.is_empty() {
            return Ok(0);
        }
        let ids = ids(source).await?;
        let mut present = 0;
        for message in listing {
            let key = key(ids.get(&message.uid).copied(), message.internal_date, message.size);
            if let Some(left) = held.get_mut(&key).filter(|left| **left > 0) {
                *left -= 1;
                present += 1;
            }
        }
        Ok(present)
    }

    async fn read(&mut self, path: &FolderPath) -> Result<&mut HashMap<u64, u32>, Fault> {
        // Two folders of the source may go to one: what stands for a message of the first stands for no other.
        let held = match self.open.take() {
            Some((open, held)) if open == *path => held,
            _ => match self.folders.iter().find(|f| f.path == *path && f.selectable) {
                Some(folder) => read_folder(self.reader, folder).await?,
                None => HashMap::new(),
            },
        };
        Ok(&mut self.open.insert((path.clone(), held)).1)
    }
}

async fn read_folder(reader: &mut dyn Reader, folder: &RemoteFolder) -> Result<HashMap<u64, u32>, Fault> {
    reader.open(folder).await?;
    let (out, mut messages) = mpsc::channel::<ReadMessage>(PORTION);
    let mut held: HashMap<u64, u32> = HashMap::new();
    let taking = async {
        while let Some(message) = messages.recv().await {
            let id = message.message_id.as_deref().map(digest);
            *held.entry(key(id, message.internal_date, message.size)).or_default() += 1;
        }
    };
    let (read, ()) = tokio::join!(reader.read(None, out), taking);
    read?;
    Ok(held)
}

/// The Message-Ids of the open folder by UID, as digests; none where the store does not keep them.
async fn ids(source: &mut dyn Source) -> Result<HashMap<u32, u64>, Fault> {
    let (out, mut told) = mpsc::channel::<(u32, String)>(PORTION);
    let mut ids = HashMap::new();
    let taking = async {
        while let Some((uid, id)) = told.recv().await {
            ids.insert(uid, digest(&id));
        }
    };
    let (known, ()) = tokio::join!(source.message_ids(out), taking);
    known?;
    Ok(ids)
}

fn digest(message_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message_id.trim().trim_start_matches('<').trim_end_matches('>').hash(&mut hasher);
    hasher.finish()
}

/// What two copies of a message share.
fn key(message_id: Option<u64>, date: InternalDate, size: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    match message_id {
        Some(id) => (id, date.seconds).hash(&mut hasher),
        None => (size, date.seconds, true).hash(&mut hasher),
    }
    hasher.finish()
}
