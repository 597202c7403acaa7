//! Writing one upload's bytes: the file, its lock, and the digests of what was written. Blocking; knows no database.
//!
//! Whoever writes holds the file's lock, which the system takes back when a process dies. The file's length says how far
//! the upload is. Bytes that came with a checksum count only once it was found right: until then a marker beside the file
//! says where they begin, and whoever opens the file next takes them away again.

use gatepost_contract::UploadPiece;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The most bytes of a piece.
pub(crate) const PIECE: u64 = 8 << 20;
/// How much is read at once.
const BLOCK: usize = 1 << 20;

/// What a sender says about the bytes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Their SHA-256.
    Sha256([u8; 32]),
    /// Their SHA-1.
    Sha1([u8; 20]),
}

impl Checksum {
    /// Reads the value of `Upload-Checksum`; none for an algorithm or a digest that is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let (algorithm, digest) = text.trim().split_once(' ')?;
        let digest = STANDARD.decode(digest.trim()).ok()?;
        match algorithm {
            "sha256" => digest.try_into().ok().map(Self::Sha256),
            "sha1" => digest.try_into().ok().map(Self::Sha1),
            _ => None,
        }
    }
}

enum BodyDigest {
    Sha256(Sha256, [u8; 32]),
    Sha1(Sha1, [u8; 20]),
}

impl BodyDigest {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest, _) => digest.update(bytes),
            Self::Sha1(digest, _) => digest.update(bytes),
        }
    }

    fn matches(self) -> bool {
        match self {
            Self::Sha256(digest, told) => digest.finalize()[..] == told,
            Self::Sha1(digest, told) => digest.finalize()[..] == told,
        }
    }
}

/// Why a file cannot be opened for writing.
#[derive(Debug)]
pub(crate) enum NotOpen {
    /// Somebody else has it.
    Locked,
    /// It is not there.
    Missing,
    /// The system refuses.
    Failed(io::Error),
}

impl From<io::Error> for NotOpen {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Failed(error) }
    }
}

/// A file that is open for writing, and locked.
pub(crate) struct Pen {
    file: File,
    marker: PathBuf,
    /// Where the body that is being written began.
    began: u64,
    at: u64,
    piece_at: u64,
    piece: Sha256,
    pieces: Vec<UploadPiece>,
    told: Option<BodyDigest>,
    whole: Option<Sha256>,
}

impl Pen {
    /// A new file, which only its owner can read.
    pub fn create(path: &Path) -> Result<Self, NotOpen> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Self::locked(file, path)
    }

    /// A file that is there.
    pub fn open(path: &Path) -> Result<Self, NotOpen> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(NO_FOLLOW).open(path)?;
        let pen = Self::locked(file, path)?;
        // It may have been removed, by the one who held the lock before, since it was opened.
        let (here, there) = (pen.file.metadata()?, fs::symlink_metadata(path)?);
        if (here.dev(), here.ino()) == (there.dev(), there.ino()) { Ok(pen) } else { Err(NotOpen::Missing) }
    }

    fn locked(file: File, path: &Path) -> Result<Self, NotOpen> {
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NotOpen::Locked),
            Err(TryLockError::Error(error)) => return Err(NotOpen::Failed(error)),
        }
        let mut marker = path.as_os_str().to_owned();
        marker.push(UNPROVED);
        let (began, at) = (0, 0);
        Ok(Self {
            file,
            marker: marker.into(),
            began,
            at,
            piece_at: 0,
            piece: Sha256::new(),
            pieces: Vec::new(),
            told: None,
            whole: None,
        })
    }

    /// The file's length.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Where the next byte goes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Computes the digest of the whole file too, from here on.
    pub fn digest_all(&mut self) {
        self.whole = Some(Sha256::new());
    }

    /// The digest of the whole file, in hex, where it was asked for at the start.
    pub fn digest_of_all(&self) -> Option<String> {
        self.whole.clone().map(|digest| hex::encode(digest.finalize()))
    }

    /// Takes away what came with a checksum that nobody got to compare.
    pub fn drop_unproved(&mut self) -> io::Result<()> {
        let text = match fs::read_to_string(&self.marker) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        // A marker that was not written to its end belongs to a body of which nothing was written.
        if let Ok(began) = text.trim().parse::<u64>()
            && began < self.length()?
        {
            self.file.set_len(began)?;
        }
        remove_if_there(&self.marker)
    }

    /// Shortens the file.
    pub fn cut_to(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    /// Makes ready for a body that begins here.
    pub fn begin(&mut self, at: u64, told: Option<&Checksum>) -> io::Result<()> {
        (self.began, self.at, self.piece_at, self.piece) = (at, at, at, Sha256::new());
        self.told = match told {
            None => None,
            Some(Checksum::Sha256(digest)) => Some(BodyDigest::Sha256(Sha256::new(), *digest)),
            Some(Checksum::Sha1(digest)) => Some(BodyDigest::Sha1(Sha1::new(), *digest)),
        };
        if self.told.is_some() {
            fs::write(&self.marker, format!("{at}\n"))?;
        }
        Ok(())
    }

    /// Whether what is written counts only once its checksum was found right.
    pub fn is_unproved(&self) -> bool {
        self.told.is_some()
    }

    /// Writes. What was written before an error counts.
    pub fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = PIECE - (self.at - self.piece_at);
            let most = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let written = match self.file.write_at(&bytes[..most], self.at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (now, rest) = bytes.split_at(written);
            self.piece.update(now);
            for digest in [&mut self.whole].into_iter().flatten() {
                digest.update(now);
            }
            if let Some(told) = &mut self.told {
                told.update(now);
            }
            self.at += written as u64;
            bytes = rest;
            if self.at - self.piece_at == PIECE {
                self.end_piece();
            }
        }
        Ok(())
    }

    /// Ends the piece that was begun, if there is one.
    pub fn end_piece(&mut self) {
        if self.at == self.piece_at {
            return;
        }
        let digest = std::mem::take(&mut self.piece).finalize();
        self.pieces.push(piece(self.piece_at, self.at - self.piece_at, &digest));
        self.piece_at = self.at;
    }

    /// The pieces that ended since this was last asked.
    pub fn take_pieces(&mut self) -> Vec<UploadPiece> {
        std::mem::take(&mut self.pieces)
    }

    /// Whether any piece ended since they were last taken.
    pub fn has_pieces(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Compares the body with its checksum. What is not right is taken away again; says whether it was right.
    pub fn prove(&mut self) -> io::Result<bool> {
        let Some(told) = self.told.take() else { return Ok(true) };
        if told.matches() {
            remove_if_there(&self.marker)?;
            return Ok(true);
        }
        self.undo()?;
        Ok(false)
    }

    /// Takes the body away again.
    pub fn undo(&mut self) -> io::Result<()> {
        (self.at, self.piece_at, self.told) = (self.began, self.began, None);
        self.piece = Sha256::new();
        self.pieces.clear();
        self.file.set_len(self.began)?;
        remove_if_there(&self.marker)
    }

    /// Makes what was written last.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The pieces that lie between two offsets, by what is on the disk.
    pub fn pieces_between(&self, from: u64, to: u64) -> io::Result<Vec<UploadPiece>> {
        let mut found = Vec::new();
        let mut at = from;
        while at < to {
            let bytes = PIECE.min(to - at);
            let mut digest = Sha256::new();
            read_range(&self.file, at, bytes, |block| digest.update(block))?;
            found.push(piece(at, bytes, &digest.finalize()));
            at += bytes;
        }
        Ok(found)
    }

    /// A second handle of the file, for reading it back.
    pub fn reading(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Behind the name of a file while bytes of it are not proved.
const UNPROVED: &str = ".unproved";
/// A link in the place of an upload is not ours.
const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

fn piece(offset: u64, bytes: u64, digest: &[u8]) -> UploadPiece {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    UploadPiece { offset: number(offset), bytes: number(bytes), sha256: hex::encode(digest) }
}

/// Hands on a range of a file, block by block.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] where the file is shorter.
pub(crate) fn read_range(file: &File, from: u64, bytes: u64, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut block = vec![0; BLOCK.min(usize::try_from(bytes).unwrap_or(BLOCK))];
    let (mut at, end) = (from, from.saturating_add(bytes));
    while at < end {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX).min(block.len());
        match file.read_at(&mut block[..most], at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                take(&block[..read]);
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether a file ends where it was expected to: nothing follows.
pub(crate) fn ends_at(file: &File, length: u64) -> io::Result<bool> {
    Ok(file.read_at(&mut [0], length)? == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pen(folder: &tempfile::TempDir) -> Pen {
        Pen::create(&folder.path().join("one")).expect("a new file")
    }

    fn sha256(bytes: &[u8]) -> Checksum {
        Checksum::Sha256(Sha256::digest(bytes).into())
    }

    #[test]
    fn pieces_are_cut_at_their_largest_size_and_carry_their_digests() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut pen = pen(&folder);
        let bytes: Vec<u8> = (0..PIECE + 5).map(|n| (n % 251) as u8).collect();
        pen.begin(0, None).expect("it begins");
        for some in bytes.chunks(1_000_003) {
            pen.write(some).expect("it is written");
        }
        pen.end_piece();
        let pieces = pen.take_pieces();
        let of = |range: std::ops::Range<usize>| UploadPiece {
            offset: range.start as i64,
            bytes: range.len() as i64,
            sha256: hex::encode(Sha256::digest(&bytes[range])),
        };
        assert_eq!(pieces, [of(0..PIECE as usize), of(PIECE as usize..bytes.len())]);
        assert_eq!(pen.pieces_between(0, bytes.len() as u64).expect("it is read"), pieces);
        assert!(pen.pieces_between(0, bytes.len() as u64 + 1).is_err(), "the file is not longer");
    }

    #[test]
    fn a_body_with_a_wrong_checksum_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut pen = pen(&folder);
        pen.begin(0, Some(&sha256(b"first"))).expect("it begins");
        pen.write(b"first").expect("it is written");
        assert!(pen.prove().expect("it is compared"));
        for told in [sha256(b"something else"), Checksum::Sha1([0; 20])] {
            pen.begin(5, Some(&told)).expect("it begins");
            pen.write(b"second").expect("it is written");
            assert!(!pen.prove().expect("it is compared"));
            assert_eq!((pen.length().expect("a length"), pen.at()), (5, 5));
        }
        pen.begin(5, Some(&Checksum::Sha1(Sha1::digest(b"second").into()))).expect("it begins");
        pen.write(b"second").expect("it is written");
        assert!(pen.prove().expect("it is compared"));
        assert_eq!(fs::read(folder.path().join("one")).expect("the file"), b"firstsecond");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "no marker is left");
    }

    #[test]
    fn what_nobody_got_to_compare_is_taken_away_by_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one");
        let mut first = pen(&folder);
        first.begin(0, None).expect("it begins");
        first.write(b"first").expect("it is written");
        first.begin(5, Some(&sha256(b"second"))).expect("it begins");
        first.write(b"sec").expect("it is written");
        drop(first);
        let mut next = Pen::open(&path).expect("the lock is free");
        next.drop_unproved().expect("it is taken away");
        assert_eq!(next.length().expect("a length"), 5);
        next.drop_unproved().expect("once is enough");
        assert_eq!(next.length().expect("a length"), 5);
    }

    #[test]
    fn one_writes_at_a_time_and_nobody_to_a_file_that_is_gone_or_is_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one");
        let first = pen(&folder);
        assert!(matches!(Pen::open(&path), Err(NotOpen::Locked)));
        assert!(matches!(Pen::create(&path), Err(NotOpen::Failed(_))));
        drop(first);
        drop(Pen::open(&path).expect("it is free again"));
        std::os::unix::fs::symlink(&path, folder.path().join("two")).expect("a link");
        assert!(Pen::open(&folder.path().join("two")).is_err());
        fs::remove_file(&path).expect("it is there");
        assert!(matches!(Pen::open(&path), Err(NotOpen::Missing)));
    }

    #[test]
    fn a_checksum_is_read_as_tus_writes_it() {
        let sha1 = Checksum::Sha1(Sha1::digest(b"hello world").into());
        for (text, expect) in [
            ("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", Some(sha1)),
            ("sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", None),
            ("md5 XrY7u+Ae7tCTyyK7j1rNww==", None),
            ("sha1 no-base64", None),
            ("sha1", None),
            ("", None),
        ] {
            assert_eq!(Checksum::parse(text), expect, "{text}");
        }
    }
}
