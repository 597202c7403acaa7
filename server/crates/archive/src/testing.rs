//! A visitor that keeps all that it is told, for tests.

use crate::{ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, Store, Visitor};
use std::path::PathBuf;

/// What a scan told.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub folders: Vec<FoundFolder>,
    pub messages: Vec<SeenMessage>,
    pub unreadable: Vec<(String, FoundMessage, String)>,
    pub items: Vec<(String, FoundItem, Vec<u8>)>,
    pub losses: Vec<String>,
    pub damage: Vec<String>,
    pub progress: Vec<(u64, u64)>,
}

/// A message with its folder's path and its bytes.
#[derive(Debug)]
pub(crate) struct SeenMessage {
    pub folder: String,
    pub found: FoundMessage,
    pub bytes: Vec<u8>,
}

impl Seen {
    fn path(&self, folder: FolderNumber) -> String {
        self.folders[folder as usize].path.to_string()
    }

    /// How many messages each folder has, in the order of the folders.
    pub(crate) fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for folder in &self.folders {
            let path = folder.path.to_string();
            if !counts.iter().any(|(p, _)| *p == path) {
                let n = self.messages.iter().filter(|m| m.folder == path).count();
                counts.push((path, n));
            }
        }
        counts
    }
}

impl Visitor for Seen {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        if let Some(known) = self.folders.iter().position(|f| f.path == folder.path) {
            return Ok(known as FolderNumber);
        }
        self.folders.push(folder);
        Ok((self.folders.len() - 1) as FolderNumber)
    }

    fn message(&mut self, folder: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        self.messages.push(SeenMessage { folder: self.path(folder), found, bytes });
        Ok(())
    }

    fn unreadable(&mut self, folder: FolderNumber, found: FoundMessage, why: String) -> Result<(), ArchiveError> {
        self.unreadable.push((self.path(folder), found, why));
        Ok(())
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        let mut bytes = Vec::new();
        content(&mut bytes)?;
        self.items.push((self.path(folder), item, bytes));
        Ok(())
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.damage.push(sentence);
        Ok(())
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.losses.push(sentence);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        assert!(done <= total, "{done} of {total}");
        self.progress.push((done, total));
        Ok(())
    }
}

/// Scans a store, and checks that each message comes again as the scan gave it.
pub(crate) fn read(store: &mut dyn Store) -> Result<Seen, ArchiveError> {
    let mut seen = Seen::default();
    store.scan(&mut seen)?;
    for message in &seen.messages {
        let mut again = Vec::new();
        store.message(&message.found.locator, &mut again)?;
        assert_eq!(again, message.bytes, "{:?}", message.found.locator);
    }
    Ok(seen)
}

/// The folder of samples, where it is.
pub(crate) fn samples() -> Option<PathBuf> {
    let found = std::env::var_os("GATEPOST_SAMPLES").map(PathBuf::from).or_else(|| {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|root| root.join("../shared/samples"))
            .find(|path| path.is_dir())
    });
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the samples are not there; set GATEPOST_SAMPLES");
        println!("left out: no samples");
    }
    found
}

/// A tar of these files; a name that begins with `->` is a link.
pub(crate) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(1_600_000_000);
        header.set_mode(0o644);
        if let Some(name) = name.strip_prefix("->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            archive.append_link(&mut header, name, "/etc/passwd").unwrap();
            continue;
        }
        header.set_size(content.len() as u64);
        if name.starts_with("..") {
            // The writer refuses what a stranger would not.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            archive.append(&header, content.as_bytes()).unwrap();
        } else {
            archive.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
    }
    archive.into_inner().unwrap()
}

/// Bytes compressed by gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip of these files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in files {
        if name.ends_with('/') {
            archive.add_directory(*name, options).unwrap();
        } else {
            archive.start_file(*name, options).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}
