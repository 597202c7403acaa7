//! Where uploads lie on the disk, who writes to them in this process, and the room that is left.

use super::{
    pen::{NotOpen, Pen, remove_if_there},
    space::Room,
};
use gatepost_store::uploads::StoredUpload;
use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Files that are read back at the same time. The disk is the limit, and others want it too.
const CHECKS: usize = 2;
/// The folder of the uploads, below the data path.
const FOLDER: &str = "uploads";

/// Where a file lies, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadFiles {
    /// The file, or folder, itself.
    pub bytes: PathBuf,
    /// The catalogue of its messages.
    pub catalogue: PathBuf,
    /// What is no mail in it, as a zip.
    pub items: PathBuf,
    /// The folder of what readpst writes of it.
    pub readpst: PathBuf,
}

/// The uploads' place. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shelf {
    data: Arc<Path>,
    pub room: Room,
    writers: Arc<Mutex<HashMap<String, Arc<Writing>>>>,
    checking: Arc<Mutex<HashSet<String>>>,
    pub checks: Arc<Semaphore>,
}

/// That a file is being checked in this process, or waits for it.
pub(crate) struct Checking {
    shelf: Shelf,
    id: String,
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.shelf.checking.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// A request that is writing.
pub(crate) struct Writing {
    /// Cancelled when another is to have the file.
    pub give_way: CancellationToken,
    heard: Mutex<Instant>,
}

impl Writing {
    /// Bytes came.
    pub fn heard(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// For how long none came.
    pub fn silent_for(&self) -> std::time::Duration {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// A place among the writers, given back when it is dropped.
pub(crate) struct Place {
    shelf: Shelf,
    id: String,
    pub writing: Arc<Writing>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut writers = self.shelf.writers();
        // The next one may have come between the lock and this.
        if writers.get(&self.id).is_some_and(|writing| Arc::ptr_eq(writing, &self.writing)) {
            writers.remove(&self.id);
        }
    }
}

impl Shelf {
    pub fn new(data: &Path, reserve_mb: Option<u64>) -> Self {
        Self {
            data: data.into(),
            room: Room::new(reserve_mb),
            writers: Arc::default(),
            checking: Arc::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
        }
    }

    pub fn folder(&self) -> PathBuf {
        self.data.join(FOLDER)
    }

    /// How a row names the bytes of an upload.
    pub fn own_path(&self, id: &str) -> String {
        format!("{FOLDER}/{id}")
    }

    /// Where the bytes lie that a row names.
    pub fn bytes(&self, path: &str) -> PathBuf {
        self.data.join(path)
    }

    pub fn catalogue(&self, id: &str) -> PathBuf {
        self.folder().join(format!("{id}.catalogue"))
    }

    pub fn items(&self, id: &str) -> PathBuf {
        self.folder().join(format!("{id}.items.zip"))
    }

    pub fn readpst(&self, id: &str) -> PathBuf {
        self.folder().join(format!("{id}.readpst"))
    }

    /// Where a form's file lies while it comes.
    pub fn spool(&self, id: &str) -> PathBuf {
        self.folder().join(format!("{id}{SPOOL}"))
    }

    /// Opens an upload for writing. Blocking.
    pub fn open(&self, path: &str) -> Result<Pen, NotOpen> {
        Pen::open(&self.bytes(path))
    }

    fn writers(&self) -> MutexGuard<'_, HashMap<String, Arc<Writing>>> {
        self.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who writes to an upload in this process.
    pub fn writer(&self, id: &str) -> Option<Arc<Writing>> {
        self.writers().get(id).cloned()
    }

    /// Notes that somebody writes, who holds the file's lock.
    pub fn enter(&self, id: &str) -> Place {
        let writing = Arc::new(Writing { give_way: CancellationToken::new(), heard: Mutex::new(Instant::now()) });
        self.writers().insert(id.to_owned(), Arc::clone(&writing));
        Place { shelf: self.clone(), id: id.to_owned(), writing }
    }

    /// Notes that a file is to be checked; none where that is so already.
    pub fn begin_check(&self, id: &str) -> Option<Checking> {
        let new = self.checking.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
        new.then(|| Checking { shelf: self.clone(), id: id.to_owned() })
    }

    /// Removes the bytes of an upload, if they are ours, and what was made of them. What cannot be removed is logged, and
    /// tried again when the folder is tidied.
    pub fn erase(&self, row: &StoredUpload) {
        if row.is_ours() {
            self.erase_own(&row.path);
        }
        for path in [self.catalogue(&row.upload.id), self.items(&row.upload.id)] {
            erase_one(&path);
        }
        let readpst = self.readpst(&row.upload.id);
        for folder in [readpst.with_extension("readpst-begun"), readpst] {
            erase_one(&folder);
        }
    }

    /// Removes bytes that are ours.
    pub fn erase_own(&self, path: &str) {
        let mut marker = self.bytes(path).into_os_string();
        marker.push(".unproved");
        for path in [self.bytes(path), marker.into()] {
            erase_one(&path);
        }
    }
}

/// Behind the name of a form's file while it comes.
pub(crate) const SPOOL: &str = ".part";

/// Removes a file, or the folder of what readpst wrote.
pub(crate) fn erase_one(path: &Path) {
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let removed = if is_folder { std::fs::remove_dir_all(path) } else { remove_if_there(path) };
    if let Err(error) = removed {
        tracing::warn!(path = %path.display(), %error, "a file of an upload could not be removed");
    }
}
