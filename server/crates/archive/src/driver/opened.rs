//! Files with their catalogues, ready to be read: the account that they make, and each message's bytes.

use super::{
    ArchiveAccount,
    account::{self, AccountFolder, Part},
    spool::Spool,
};
use crate::{
    ArchiveError, Entry, FileSource, Limits, Store,
    catalogue::{Catalogue, Stamp},
    containers::section::Section,
    inspect::{Opener, inspect_with, missing},
};
use gatepost_transfer::{Fault, FaultKind, FolderPath};
use sha2::{Digest as _, Sha256};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How many files are kept open at once.
const OPEN_STORES: usize = 8;

/// The files of an account.
pub(super) struct Opened {
    files: Vec<FileSource>,
    limits: Limits,
    open: Opener,
    catalogues: Vec<Catalogue>,
    /// What the files were like when they were opened.
    stamps: Vec<Stamp>,
    pub folders: Vec<AccountFolder>,
    pub epoch: u32,
    stores: Mutex<Vec<(usize, SharedStore)>>,
    /// Holds the catalogues of a witness.
    _own: Option<TempDir>,
}

type SharedStore = Arc<Mutex<Box<dyn Store>>>;

/// What there is of a message.
pub(super) enum Generated {
    /// Its bytes.
    Whole(Spool),
    /// It is known, and why it cannot be given.
    Unreadable(String),
}

/// Whose catalogues are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Those that are kept, where they fit; others are made again.
    Kept,
    /// None: every file is read through.
    Own,
}

impl Opened {
    /// Reads through what must be read through, and joins the files.
    pub fn new(
        account: &ArchiveAccount,
        open: Opener,
        trust: Trust,
        cancel: &CancellationToken,
    ) -> Result<Self, Fault> {
        let mut files = account.files.clone();
        files.sort_by_key(|file| file.slot);
        let own = match trust {
            Trust::Kept => None,
            Trust::Own => Some(private_directory(&account.limits)?),
        };
        let mut catalogues = Vec::with_capacity(files.len());
        let mut stamps = Vec::with_capacity(files.len());
        let mut stores = Vec::new();
        for (number, file) in files.iter().enumerate() {
            let place = match &own {
                Some(own) => own.path().join(format!("{}.catalogue", file.slot)),
                None => file.catalogue.clone(),
            };
            stamps.push(Stamp::of(&file.path).map_err(|e| about(file, missing(file, e)))?);
            let kept = if own.is_none() { kept(file, cancel).map_err(|e| about(file, e))? } else { None };
            let catalogue = match kept {
                Some(kept) => kept,
                None => {
                    let apart = beside(&place).map_err(|e| about(file, e.into()))?;
                    let anew = apart.path().join("catalogue");
                    let read = inspect_with(open, file, &anew, None, &account.limits, &mut |_, _| {}, cancel);
                    let (_, store) = read.map_err(|e| about(file, e))?;
                    if stores.len() < OPEN_STORES {
                        stores.push((number, Arc::new(Mutex::new(store))));
                    }
                    let read = Catalogue::open(&anew).map_err(|e| about(file, e))?;
                    // The catalogue that was kept stays as it is where it says something else: its numbers are in use.
                    agree(file, &read, cancel)?;
                    std::fs::rename(&anew, &place).map_err(|e| about(file, e.into()))?;
                    read
                }
            };
            catalogues.push(catalogue);
        }
        let parts: Vec<(u8, &Catalogue)> = files.iter().map(|file| file.slot).zip(&catalogues).collect();
        let folders = account::join(&parts).map_err(Fault::from)?;
        let epoch = account::epoch(&account.seed);
        Ok(Self {
            files,
            limits: account.limits.clone(),
            open,
            catalogues,
            stamps,
            folders,
            epoch,
            stores: Mutex::new(stores),
            _own: own,
        })
    }

    /// Whether the files are still those that were scanned, as far as looking at them tells.
    pub fn check(&self) -> Result<(), Fault> {
        for ((file, catalogue), opened) in self.files.iter().zip(&self.catalogues).zip(&self.stamps) {
            check(file, catalogue.stamp(), opened)?;
        }
        Ok(())
    }

    /// What the files are: `PST, Unicode`.
    pub fn formats(&self) -> String {
        let mut formats: Vec<&str> = self.catalogues.iter().map(|c| c.described().format.as_str()).collect();
        formats.sort_unstable();
        formats.dedup();
        formats.join("; ")
    }

    /// The folder of this path.
    pub fn folder(&self, path: &FolderPath) -> Option<usize> {
        self.folders.iter().position(|f| f.remote.path == *path)
    }

    /// The listed messages of a folder from this UID on, by ascending UID, until `take` answers false.
    pub fn each(
        &self,
        folder: usize,
        from: u32,
        mut take: impl FnMut(u32, Entry) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        for part in &self.folders[folder].parts {
            let Some(first) = part.from(from) else { continue };
            let catalogue = &self.catalogues[part.file];
            for entry in catalogue.entries(&catalogue.folders()[part.folder], first) {
                let (number, entry) = entry.map_err(|e| about(&self.files[part.file], e))?;
                if part.shows(number) && !take(part.uid(number), entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// A message's entry; `None` where there is none.
    pub fn entry(&self, folder: usize, uid: u32) -> Result<Option<Entry>, Fault> {
        let Some((part, number)) = self.folders[folder].find(uid) else { return Ok(None) };
        self.entry_of(part, number)
    }

    fn entry_of(&self, part: &Part, number: u32) -> Result<Option<Entry>, Fault> {
        let catalogue = &self.catalogues[part.file];
        let entry = catalogue.entry(&catalogue.folders()[part.folder], number);
        entry.map_err(|e| about(&self.files[part.file], e))
    }

    /// A message's bytes; `None` where there is no such message.
    pub fn generate(&self, folder: usize, uid: u32, cancel: &CancellationToken) -> Result<Option<Generated>, Fault> {
        let Some((part, number)) = self.folders[folder].find(uid) else { return Ok(None) };
        let Some(entry) = self.entry_of(part, number)? else { return Ok(None) };
        let expected = match &entry.content {
            Ok(digests) => *digests,
            Err(why) => return Ok(Some(Generated::Unreadable(why.clone()))),
        };
        let file = &self.files[part.file];
        let mut spool = Spool::new(&self.limits.work, expected.size, cancel);
        let store = self.store(part.file)?;
        // The lock is never held while somebody else is waited for: messages are sent on from their spool.
        let given = store.lock().unwrap_or_else(PoisonError::into_inner).message(&entry.locator, &mut spool);
        match given {
            Ok(()) if spool.digests().exact == expected.exact => Ok(Some(Generated::Whole(spool))),
            _ if cancel.is_cancelled() => Err(Fault::cancelled()),
            Err(error @ ArchiveError::Io(_)) => Err(about(file, error)),
            // It was given when the file was read through.
            Ok(()) | Err(_) => Err(changed(file)),
        }
    }

    fn store(&self, number: usize) -> Result<SharedStore, Fault> {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = stores.iter().position(|(n, _)| *n == number) {
            let used = stores.remove(at);
            let store = Arc::clone(&used.1);
            stores.push(used);
            return Ok(store);
        }
        if stores.len() >= OPEN_STORES {
            stores.remove(0);
        }
        let file = &self.files[number];
        let store = file.open(self.open, &self.limits).map_err(|e| about(file, e))?;
        let store = Arc::new(Mutex::new(store));
        stores.push((number, Arc::clone(&store)));
        Ok(store)
    }
}

fn private_directory(limits: &Limits) -> Result<TempDir, Fault> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&limits.work);
    made.and_then(|()| tempfile::Builder::new().prefix("witness-").tempdir_in(&limits.work)).map_err(|error| {
        let work: PathBuf = limits.work.clone();
        Fault::new(FaultKind::Internal, format!("The folder {} cannot be written to: {error}", work.display()))
            .because(error)
    })
}

/// The catalogue that is kept of a file, where it is of use. A fault where the file itself is another one.
fn kept(file: &FileSource, cancel: &CancellationToken) -> Result<Option<Catalogue>, ArchiveError> {
    let now = Stamp::of(&file.path).map_err(|error| missing(file, error))?;
    let Ok(catalogue) = Catalogue::open(&file.catalogue) else { return Ok(None) };
    // Of what is stored by its digest only the length is looked at: copying it elsewhere changes its time. Anything
    // else may have been changed by its owner and is read again, and a folder always is.
    let fits = if file.in_place {
        if let (Some(wanted), Some(_)) = (&file.sha256, now.length) {
            if now.length != catalogue.stamp().length {
                return Err(ArchiveError::Damaged(other_length(file)));
            }
            // A copy that was put back has another time and the same bytes.
            if now != *catalogue.stamp() && !has_digest(&file.path, wanted, cancel)? {
                return Err(ArchiveError::Damaged(other_bytes(file)));
            }
            return Ok(Some(catalogue));
        }
        now.length.is_some() && now == *catalogue.stamp()
    } else if file.sha256.is_some() {
        return match (now.length, catalogue.stamp().length) {
            (now, then) if now == then => Ok(Some(catalogue)),
            _ => Err(ArchiveError::Damaged(other_length(file))),
        };
    } else {
        now.length.is_some() && now == *catalogue.stamp()
    };
    Ok(fits.then_some(catalogue))
}

fn check(file: &FileSource, then: &Stamp, opened: &Stamp) -> Result<(), Fault> {
    let now = Stamp::of(&file.path).map_err(|error| about(file, missing(file, error)))?;
    if now.length != then.length {
        return Err(Fault::new(FaultKind::Damaged, other_length(file)));
    }
    if file.in_place && now.length.is_some() && now != *opened {
        return Err(Fault::new(FaultKind::Damaged, format!("The file {} was changed meanwhile. {AGAIN}", file.name)));
    }
    Ok(())
}

/// Where a catalogue is written before it is known to be of use.
fn beside(place: &Path) -> std::io::Result<TempDir> {
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".catalogue-").tempdir_in(folder)
}

/// A file was read through again: the catalogue that is kept, where there is one, must say the same.
fn agree(file: &FileSource, own: &Catalogue, cancel: &CancellationToken) -> Result<(), Fault> {
    if let (true, Some(wanted), Some(_)) = (file.in_place, &file.sha256, own.stamp().length)
        && !has_digest(&file.path, wanted, cancel).map_err(|e| about(file, e))?
    {
        return Err(Fault::new(FaultKind::Damaged, other_bytes(file)));
    }
    match Catalogue::open(&file.catalogue) {
        Ok(kept) if (file.in_place || file.sha256.is_some()) && kept.identity() != own.identity() => Err(changed(file)),
        _ => Ok(()),
    }
}

/// Whether a file's bytes have this SHA-256.
fn has_digest(path: &Path, wanted: &str, cancel: &CancellationToken) -> Result<bool, ArchiveError> {
    let mut reader = Section::at_path(path)?.reader();
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        if cancel.is_cancelled() {
            return Err(ArchiveError::Stopped);
        }
        match reader.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digest.eq_ignore_ascii_case(wanted))
}

/// What is to be done about a file that was changed.
const AGAIN: &str = "Put back the file that it was, or begin anew with the one that is there now.";

fn other_bytes(file: &FileSource) -> String {
    format!("The file {} has other bytes than when it was taken: its SHA-256 is another one. {AGAIN}", file.name)
}

fn other_length(file: &FileSource) -> String {
    format!("The file {} has another length than when it was read through. Bring it again.", file.name)
}

fn changed(file: &FileSource) -> Fault {
    Fault::new(
        FaultKind::Damaged,
        format!(
            "The file {} gives other messages than when it was read through: it was changed, or its disk is failing. Read \
             it through again, or bring it again.",
            file.name
        ),
    )
}

const FULL: &str =
    "The disk is full: what is noted and unpacked while files are read finds no room. Make room, then start it again.";

/// Whether the disk, or one's share of it, takes no more.
fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Names the file that an error is about.
fn about(file: &FileSource, error: ArchiveError) -> Fault {
    let mut fault = Fault::from(error);
    if fault.kind != FaultKind::Cancelled && !fault.sentence.contains(&file.name) {
        fault.sentence = format!("{}: {}", file.name, fault.sentence);
    }
    fault
}

impl From<ArchiveError> for Fault {
    fn from(error: ArchiveError) -> Self {
        let sentence = error.to_string();
        match error {
            ArchiveError::NotRecognised(_) => Self::new(FaultKind::WrongService, sentence),
            ArchiveError::Damaged(_) | ArchiveError::TooMuch(_) | ArchiveError::Unreadable(_) => {
                Self::new(FaultKind::Damaged, sentence)
            }
            ArchiveError::Stopped => Self::cancelled(),
            ArchiveError::Io(error) if is_full(&error) => {
                // The bound on the disk has words of its own, with the figures.
                let sentence = match error.raw_os_error() {
                    None => sentence,
                    Some(_) => FULL.to_owned(),
                };
                Self::new(FaultKind::Internal, sentence).because(error)
            }
            ArchiveError::Io(error) => {
                Self::new(FaultKind::Internal, format!("A file cannot be read or written: {error}")).because(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_full_disk_is_named_with_what_to_do_and_the_bound_on_it_keeps_its_figures() {
        let enospc = io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        let fault = Fault::from(ArchiveError::Io(enospc));
        assert_eq!(fault.kind, FaultKind::Internal);
        assert!(fault.sentence.starts_with("The disk is full") && fault.sentence.contains("Make room"), "{fault}");

        let limits = Limits { reserve: Some(u64::MAX), ..Limits::new(std::env::temp_dir()) };
        let refused = limits.room(&std::env::temp_dir(), 7).expect_err("nothing may be written");
        let said = refused.to_string();
        assert_eq!(Fault::from(refused).sentence, said);

        let other = Fault::from(ArchiveError::Io(io::ErrorKind::PermissionDenied.into()));
        assert!(other.sentence.starts_with("A file cannot be read or written"), "{other}");
    }
}
