//! Writes a file's content below a directory: messages as .eml or as one mbox for each folder, what is no mail as .vcf,
//! .ics and .txt.
//!
//! Nothing is ever overwritten: where another file has a name, the next free one is taken. Each file is written whole or
//! not at all, and writing the same file again finds what is there already. Names of .eml files begin with a number in the
//! order of the folder, and each file gets its message's date; the mbox of a folder lies beside the folder's directory.

mod files;
mod mboxes;
mod order;
mod share;
#[cfg(test)]
mod tests;

use crate::{ArchiveError, Store};
use files::make;
use mboxes::Mboxes;
use order::{Lookout, Order};
use serde::Serialize;
use share::Share;
use std::{io, path::Path};
use tokio_util::sync::CancellationToken;

/// How many messages that cannot be read are named.
const NAMED: usize = 1_000;

/// What messages are written as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExportFormat {
    /// A file for each message.
    #[default]
    Eml,
    /// A file for each folder (RFC 4155), quoted as mboxrd, with flags and keywords in Status, X-Status and X-Keywords.
    Mbox,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Folders.
    pub folders: u64,
    /// Messages that were written now.
    pub messages: u64,
    /// What is no mail and was written now.
    pub items: u64,
    /// What had been written before.
    pub already_there: u64,
    /// Bytes that were written now.
    pub bytes: u64,
    /// What could not be written: the folder, and why.
    pub unreadable: Vec<(String, String)>,
    /// How many more there are of these.
    pub more_unreadable: u64,
    /// Sentences about what is missing in the file.
    pub losses: Vec<String>,
    /// Sentences about damage and about what was left out.
    pub damage: Vec<String>,
}

/// Opens the store that is written, once for each thread.
pub type OpenStore<'a> = &'a (dyn Fn() -> Result<Box<dyn Store>, ArchiveError> + Sync);

/// Writes what a store holds below `directory`, on so many threads. Blocks; tells how many of how many bytes it has gone
/// through.
///
/// Each thread goes through all folders, which costs little, and opens, makes and writes its share of the messages, which
/// costs much. An mbox is written in the order of the store, whichever thread made a message.
///
/// # Errors
/// Where the file cannot be read on, or the directory cannot be written to; [`ArchiveError::Stopped`] when `cancel` was
/// called. What was written before stays, each file whole.
pub fn export(
    open: OpenStore<'_>,
    format: ExportFormat,
    threads: usize,
    directory: &Path,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &CancellationToken,
) -> Result<Exported, ArchiveError> {
    make(directory)?;
    let of = threads.max(1) as u64;
    // When one thread fails the others need not go on.
    let failed = cancel.child_token();
    let order = match format {
        ExportFormat::Eml => None,
        ExportFormat::Mbox => Some(Order::new(Mboxes::default(), of)),
    };
    let share = |part: u64, progress: &mut dyn FnMut(u64, u64)| {
        let lookout = Lookout::new(order.as_ref());
        let mut share = Share::new(directory, order.as_ref(), (part, of), progress, &failed);
        let scanned = open().and_then(|mut store| store.scan(&mut share)).and_then(|()| share.finish());
        match &scanned {
            Ok(_) => lookout.through(),
            Err(_) => failed.cancel(),
        }
        scanned
    };
    let shares: Vec<Result<Exported, ArchiveError>> = std::thread::scope(|scope| {
        let share = &share;
        let others: Vec<_> = (1..of).map(|part| scope.spawn(move || share(part, &mut |_, _| {}))).collect();
        let first = share(0, progress);
        let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(ArchiveError::Io(io::Error::other("a thread of the export broke off"))))
        };
        [first].into_iter().chain(others.into_iter().map(ended)).collect()
    });
    if cancel.is_cancelled() {
        return Err(ArchiveError::Stopped);
    }
    let stopped_by_another = |share: &Result<_, _>| matches!(share, Err(ArchiveError::Stopped));
    let (stopped, ended): (Vec<_>, Vec<_>) = shares.into_iter().partition(stopped_by_another);
    let mut exported = Exported::default();
    for share in ended.into_iter().chain(stopped) {
        exported.join(share?);
    }
    if let Some(order) = order {
        let unfinished = || io::Error::other("a message of the export was never handed over");
        exported.join(order.into_files().ok_or_else(unfinished)?.finish()?);
    }
    Ok(exported)
}

impl Exported {
    /// Adds what another thread wrote. What all of them were told is there once.
    fn join(&mut self, other: Self) {
        self.folders = self.folders.max(other.folders);
        self.messages += other.messages;
        self.items += other.items;
        self.already_there += other.already_there;
        self.bytes += other.bytes;
        self.more_unreadable += other.more_unreadable;
        for one in other.unreadable {
            if self.unreadable.len() < NAMED {
                self.unreadable.push(one);
            } else {
                self.more_unreadable += 1;
            }
        }
        for (ours, theirs) in [(&mut self.losses, other.losses), (&mut self.damage, other.damage)] {
            for sentence in theirs {
                if ours.len() < NAMED && !ours.contains(&sentence) {
                    ours.push(sentence);
                }
            }
        }
    }
}
