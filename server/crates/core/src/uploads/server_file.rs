//! Files and folders that lie on the server already, below the one folder that is open for them. They stay where they
//! are: nothing here writes to them or removes them.

use super::{UploadRefusal, already_uploaded, new_id};
use crate::{Actor, Error, Gatepost, Result, validate::Checker};
use gatepost_contract::{MailboxId, ServerFile, SourceType, Upload, UploadOrigin, UploadState};
use gatepost_store::uploads::{self as rows, NewUploadRow, StoredUpload};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// More files than this are not taken from one folder.
const MOST_FILES: usize = 5_000_000;
/// Folders within folders, at most.
const DEPTH: usize = 100;

/// What a folder holds, or a file by itself.
pub(super) struct Contents {
    pub is_folder: bool,
    pub bytes: u64,
    /// In the order of their paths. A file by itself has an empty one.
    pub files: Vec<OneFile>,
}

pub(super) struct OneFile {
    pub path: PathBuf,
    pub bytes: u64,
}

impl Gatepost {
    /// Takes a file or folder of the server as a source of a mailbox.
    pub async fn add_server_file(&self, actor: &Actor, mailbox: MailboxId, file: ServerFile) -> Result<Upload> {
        actor.manage()?;
        let (root, data) = (self.import_root()?, self.config().data_path.clone());
        let (mailbox, job) = self.may_attach(mailbox, None).await?;
        let source = mailbox.source_type;
        let given = file.path.clone();
        let (path, contents) = super::blocking(move || resolve(&root, &data, &given, source)).await??;
        self.refuse_too_large(contents.bytes)?;
        let Some(text) = path.to_str() else {
            return Err(Error::field("path", "must be UTF-8; rename the file"));
        };
        let bytes = i64::try_from(contents.bytes).unwrap_or(i64::MAX);
        {
            let mut conn = self.store().reader().await?;
            let others = rows::of_mailbox(&mut conn, mailbox.id).await?;
            if let Some(same) = others.iter().find(|row| row.path == text && row.upload.state != UploadState::Deleted) {
                return Err(already_uploaded(&same.upload));
            }
        }
        let id = new_id();
        let row = NewUploadRow {
            id: &id,
            mailbox_id: mailbox.id,
            job_id: job.id,
            name: &super::file_name(&path.file_name().unwrap_or_default().to_string_lossy()),
            origin: UploadOrigin::Server,
            path: text,
            bytes,
            received: 0,
            sha256_expected: None,
            metadata: None,
            created_by: &actor.label(),
            expires_at: None,
        };
        self.insert_upload(actor, &row, &[]).await?;
        self.after_check(&id).await
    }

    pub(super) fn import_root(&self) -> Result<PathBuf> {
        let path = self.config().import_path.as_ref().ok_or(UploadRefusal::NoImportPath)?;
        path.canonicalize().map_err(|e| Error::internal(format!("GATEPOST_IMPORT_PATH, {}: {e}", path.display())))
    }

    /// Where a file of the server lies, if it still lies where it did.
    pub(super) fn server_path_of(&self, row: &StoredUpload) -> Result<PathBuf> {
        let path = PathBuf::from(&row.path);
        let root = self.import_root()?;
        match path.canonicalize() {
            Ok(now) if now == path && now.starts_with(&root) => Ok(path),
            Ok(_) => Err(Error::conflict(
                "moved",
                format!(
                    "{} does not lie below GATEPOST_IMPORT_PATH any more, where it was taken from.",
                    row.upload.name
                ),
            )),
            Err(error) => Err(Error::conflict(
                "moved",
                format!("{} is not where it was taken from: {error}. Put it back, or remove it here.", row.upload.name),
            )),
        }
    }
}

/// Finds what a path below the open folder means, links followed, and refuses what lies outside.
fn resolve(root: &Path, data: &Path, given: &str, source: SourceType) -> Result<(PathBuf, Contents)> {
    let mut checker = Checker::new();
    let given = checker.text("path", given, 1..=4096, false);
    checker.finish()?;
    let refuse = |message: String| Error::field("path", message);
    let outside = || refuse("is not below the folder for files of the server, or not readable".to_owned());
    // Nobody learns what lies outside of the folder.
    let Ok(path) = root.join(&given).canonicalize() else { return Err(outside()) };
    let kept = data.canonicalize().is_ok_and(|data| path.starts_with(&data) || data.starts_with(&path));
    if !path.starts_with(root) || path == root || kept {
        return Err(outside());
    }
    let found = fs::metadata(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    if !found.is_file() && !found.is_dir() {
        return Err(refuse("is neither a file nor a folder".to_owned()));
    }
    if found.is_dir() && matches!(source, SourceType::Pst | SourceType::Tgz) {
        return Err(refuse(format!("is a folder; a mailbox of type {source} takes one file")));
    }
    let contents = contents(root, &path).map_err(refuse)?;
    if contents.bytes == 0 {
        return Err(refuse("is empty; there is no mail in it".to_owned()));
    }
    if found.is_file() {
        open(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    }
    Ok((path, contents))
}

/// A path as clients see it: below the folder for files of the server. Where that folder lies is nobody's business.
pub(super) fn shown(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or_else(|_| Path::new(path.file_name().unwrap_or_default()));
    below.display().to_string()
}

/// The files of a folder, without following links; or a file by itself.
pub(super) fn contents(root: &Path, path: &Path) -> std::result::Result<Contents, String> {
    let cannot = |path: &Path, error: io::Error| {
        tracing::warn!(path = %path.display(), %error, "a file of the server cannot be read");
        format!("{} cannot be read: {error}", shown(root, path))
    };
    let found = fs::symlink_metadata(path).map_err(|e| cannot(path, e))?;
    if !found.is_dir() {
        let files = vec![OneFile { path: PathBuf::new(), bytes: found.len() }];
        return Ok(Contents { is_folder: false, bytes: found.len(), files });
    }
    let mut files = Vec::new();
    let mut waiting = vec![(PathBuf::new(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        if depth > DEPTH {
            return Err(format!("The folders lie more than {DEPTH} deep."));
        }
        let inside = path.join(&folder);
        for entry in fs::read_dir(&inside).map_err(|e| cannot(&inside, e))? {
            let entry = entry.map_err(|e| cannot(&inside, e))?;
            let kind = entry.file_type().map_err(|e| cannot(&inside, e))?;
            let name = folder.join(entry.file_name());
            if kind.is_dir() {
                waiting.push((name, depth + 1));
            } else if kind.is_file() {
                let bytes = entry.metadata().map_err(|e| cannot(&inside, e))?.len();
                files.push(OneFile { path: name, bytes });
            }
            if files.len() + waiting.len() > MOST_FILES {
                return Err(format!("The folder holds more than {MOST_FILES} files."));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let bytes = files.iter().map(|file| file.bytes).sum();
    Ok(Contents { is_folder: true, bytes, files })
}

/// What stands before the bytes of a file in the digest of its folder: its path and its length, so that two folders have
/// the same digest only with the same files.
pub(super) fn heading(file: &OneFile) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let name = file.path.as_os_str().as_bytes();
    let mut heading = (name.len() as u64).to_be_bytes().to_vec();
    heading.extend_from_slice(name);
    heading.extend_from_slice(&file.bytes.to_be_bytes());
    heading
}

/// Opens a file for reading, and nothing else: no link, no pipe that would be waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file any more")) }
}
