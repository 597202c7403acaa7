//! The key file: one key a line, the first seals. Readable by its owner alone, and always replaced as a whole.

use crate::{Vault, VaultError, generate_key, vault::split};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Where the keys in force came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// `MIGRATION_CREDENTIALS_KEY`.
    Environment,
    /// A key file that was there.
    File(PathBuf),
    /// A key file that was made just now; people should be told where it lies, and to back it up.
    Created(PathBuf),
}

impl Vault {
    /// The keys of a key file.
    ///
    /// # Errors
    /// [`VaultError::Exposed`] where others may read it; [`VaultError::File`], [`VaultError::NoKey`] and
    /// [`VaultError::BadKey`] where it holds no keys.
    pub fn from_key_file(path: &Path) -> Result<Self, VaultError> {
        Self::parse(&read(path)?, &place(path))
    }

    /// The keys of the environment where they are set (`key_env`, the value of `MIGRATION_CREDENTIALS_KEY`; blank
    /// counts as not set), else those of the key file, which is made with a new key where there is none.
    ///
    /// # Errors
    /// As [`Vault::from_keys`] and [`Vault::from_key_file`]. A key file that cannot be used is never replaced.
    pub fn load_or_create(key_env: Option<&str>, key_file: &Path) -> Result<(Self, KeyOrigin), VaultError> {
        if let Some(keys) = key_env.filter(|keys| !keys.trim().is_empty()) {
            return Ok((Self::from_keys(keys)?, KeyOrigin::Environment));
        }
        match Self::from_key_file(key_file) {
            Err(VaultError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            found => return Ok((found?, KeyOrigin::File(key_file.to_owned()))),
        }
        let made = create(key_file).map_err(|source| written(key_file, source))?;
        // Read back even when made here, so that what is used is what is stored.
        let vault = Self::from_key_file(key_file)?;
        let path = key_file.to_owned();
        Ok((vault, if made { KeyOrigin::Created(path) } else { KeyOrigin::File(path) }))
    }
}

/// Puts a new key in front of those of a key file, and returns the keys that are then in force. Blobs stay as they
/// are until [`Vault::rotate`] seals them anew.
///
/// # Errors
/// As [`Vault::from_key_file`]; [`VaultError::Rotating`] while another change of the file is under way.
pub fn rotate_file(path: &Path) -> Result<Vault, VaultError> {
    replace(path, |keys| {
        let new = Zeroizing::new(generate_key());
        lines(std::iter::once(new.as_str()).chain(split(keys)))
    })
}

/// Keeps only the first key of a key file, and returns it. Whatever another key sealed cannot be opened any more, so
/// every blob must have been rotated before, and backups of older blobs need the old keys kept elsewhere.
///
/// # Errors
/// As [`rotate_file`].
pub fn drop_old_keys(path: &Path) -> Result<Vault, VaultError> {
    replace(path, |keys| lines(split(keys).take(1)))
}

/// Reads, changes and replaces a key file. The new content lies complete in a file beside it before it takes its
/// place; that file's existence keeps a second change out.
fn replace(path: &Path, change: impl Fn(&str) -> Zeroizing<String>) -> Result<Vault, VaultError> {
    // A link to the key file stays a link.
    let path = &fs::canonicalize(path).map_err(|source| unread(path, source))?;
    let beside = beside(path, "new");
    let mut file = create_new(&beside).map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => VaultError::Rotating { path: beside.clone() },
        _ => written(&beside, source),
    })?;
    let result = read(path).and_then(|keys| {
        // What is there must be sound before anything is put in front of it.
        Vault::parse(&keys, &place(path))?;
        let keys = change(&keys);
        let mut store = || {
            file.write_all(keys.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)?;
            sync_parent(path)
        };
        store().map_err(|source| written(path, source))?;
        Vault::parse(&keys, &place(path))
    });
    if result.is_err() {
        // After the rename there is nothing left to remove.
        let _ = fs::remove_file(&beside);
    }
    result
}

/// Makes a key file with one new key, unless there is one by now: then false.
fn create(path: &Path) -> io::Result<bool> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    // Written beside it and linked into place: whoever sees the key file sees a complete one, and a link, unlike a
    // rename, never replaces the key of another process that was quicker.
    // Process ids repeat across containers that share a directory; part of a random key of no other use does not.
    let beside = beside(path, &format!("{}.new", &generate_key()[..12]));
    let key = Zeroizing::new(generate_key());
    let mut file = create_new(&beside)?;
    let linked = file
        .write_all(lines(std::iter::once(key.as_str())).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    match linked {
        Ok(()) => sync_parent(path).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let file = File::open(path).map_err(|source| unread(path, source))?;
    let metadata = file.metadata().map_err(|source| unread(path, source))?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    // Far more than anyone has keys; a wrong path must not fill the memory.
    file.take(65_536).read_to_end(&mut bytes).map_err(|source| unread(path, source))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(VaultError::BadKey { place: place(path), position: 1 }),
    }
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// `vault.key` → `vault.key.new`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn lines<'a>(keys: impl Iterator<Item = &'a str>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    for key in keys {
        text.push_str(key);
        text.push('\n');
    }
    text
}

fn place(path: &Path) -> String {
    format!("the key file {}", path.display())
}

fn unread(path: &Path, source: io::Error) -> VaultError {
    VaultError::File { path: path.to_owned(), what: "read", source }
}

fn written(path: &Path, source: io::Error) -> VaultError {
    VaultError::File { path: path.to_owned(), what: "written", source }
}

#[cfg(test)]
mod tests;
