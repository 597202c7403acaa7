//! A watcher of Zimbra's exports (`fmt=tgz`) as they stream past: whether the archive that went by is whole, and what was
//! in it. It keeps nothing of the mail.
//!
//! Whole means that the gzip stream came to its end and its CRC is right (RFC 1952), and that within it the tar came to
//! its end mark (POSIX.1-1988, ustar). An export that breaks off, at whichever byte, is not.

use flate2::write::MultiGzDecoder;
use serde::Serialize;
use std::io::{self, Write};

/// The blocks that a tar is made of.
const BLOCK: usize = 512;
/// How much of what comes is unpacked at once: a mailbox of zeros must not hold up everybody else for long.
const PIECE: usize = 4096;
const NO_TAR: &str = "what is packed is no tar";

/// What an export held, by the kinds that Zimbra gives its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Entries of the archive.
    pub entries: u64,
    /// Messages.
    pub messages: u64,
    /// Contacts.
    pub contacts: u64,
    /// Appointments and tasks.
    pub calendar: u64,
    /// Folders.
    pub folders: u64,
    /// Items whose content the server could not read: it says so by an empty `.err`.
    pub unreadable: u64,
    /// Bytes after unpacking.
    pub unpacked: u64,
}

/// Why an export is not whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Not a byte of it came.
    #[error("nothing came")]
    Empty,
    /// It is no gzip; what it begins with, as text.
    #[error("what came is no archive; it begins with {0:?}")]
    NoArchive(String),
    /// It breaks off.
    #[error("it breaks off after {bytes} bytes")]
    Cut {
        /// How many came.
        bytes: u64,
    },
    /// Its bytes are not those that were packed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Looks at every byte of one export.
pub struct Watcher {
    unpacker: MultiGzDecoder<Tar>,
    /// Its first bytes, to say what it is if it is no archive.
    head: Vec<u8>,
    bytes: u64,
    damage: Option<String>,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("bytes", &self.bytes).field("damage", &self.damage).finish_non_exhaustive()
    }
}

impl Default for Watcher {
    fn default() -> Self {
        Self { unpacker: MultiGzDecoder::new(Tar::default()), head: Vec::new(), bytes: 0, damage: None }
    }
}

impl Watcher {
    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = 200_usize.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        for piece in bytes.chunks(PIECE) {
            if self.damage.is_some() {
                return;
            }
            if let Err(error) = self.unpacker.write_all(piece) {
                self.damage = Some(error.to_string());
            }
        }
    }

    /// Bytes that came.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What was in it so far.
    #[must_use]
    pub fn contents(&self) -> Contents {
        self.unpacker.get_ref().contents
    }

    /// Whether it is known already to be of no use.
    #[must_use]
    pub const fn is_damaged(&self) -> bool {
        self.damage.is_some()
    }

    /// Whether it was whole, now that nothing more comes.
    ///
    /// # Errors
    /// [`Broken`] where it was not.
    pub fn finish(&mut self) -> Result<Contents, Broken> {
        if self.bytes == 0 {
            return Err(Broken::Empty);
        }
        if !self.head.starts_with(&[0x1f, 0x8b]) {
            let text = String::from_utf8_lossy(&self.head);
            return Err(Broken::NoArchive(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()));
        }
        // What is missing at the end and a wrong CRC are one error to it: the tar's end mark tells them apart.
        let finished = self.unpacker.try_finish();
        if let Some(damage) = &self.damage {
            return Err(Broken::Damaged(damage.clone()));
        }
        let tar = self.unpacker.get_ref();
        match finished {
            _ if tar.wrong => Err(Broken::Damaged(NO_TAR.to_owned())),
            _ if !tar.ended => Err(Broken::Cut { bytes: self.bytes }),
            Ok(()) => Ok(tar.contents),
            Err(error) => Err(Broken::Damaged(error.to_string())),
        }
    }
}

/// The tar within: it reads headers and lets everything else pass.
#[derive(Debug)]
struct Tar {
    header: Vec<u8>,
    /// Bytes of an entry's content, with its padding, that are still to come.
    content: u64,
    ended: bool,
    /// What came is no tar.
    wrong: bool,
    contents: Contents,
}

impl Default for Tar {
    fn default() -> Self {
        Self {
            header: Vec::with_capacity(BLOCK),
            content: 0,
            ended: false,
            wrong: false,
            contents: Contents::default(),
        }
    }
}

impl Write for Tar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        self.contents.unpacked += bytes.len() as u64;
        while !rest.is_empty() && !self.ended {
            if self.content > 0 {
                let skip = usize::try_from(self.content).unwrap_or(usize::MAX).min(rest.len());
                self.content -= skip as u64;
                rest = &rest[skip..];
                continue;
            }
            let more = (BLOCK - self.header.len()).min(rest.len());
            self.header.extend_from_slice(&rest[..more]);
            rest = &rest[more..];
            if self.header.len() == BLOCK {
                if self.entry().is_none() {
                    self.wrong = true;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, NO_TAR));
                }
                self.header.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Tar {
    /// Takes a header; `None` where it is none.
    fn entry(&mut self) -> Option<()> {
        let header = &self.header;
        if header.iter().all(|b| *b == 0) {
            self.ended = true;
            return Some(());
        }
        let size = number(&header[124..136])?;
        let said = number(&header[148..156])?;
        // The sum of all bytes, with blanks in its own place.
        let sum: u64 =
            header.iter().enumerate().map(|(n, b)| if (148..156).contains(&n) { 32 } else { u64::from(*b) }).sum();
        if sum != said {
            return None;
        }
        self.content = size.checked_next_multiple_of(BLOCK as u64)?;
        // Long names and attributes (`L`, `K`, `x`, `g`) belong to the entry that follows.
        if !matches!(header[156], 0 | b'0') {
            return Some(());
        }
        let text = |bytes: &[u8]| {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        let (name, group) = (text(&header[..100]), text(&header[297..329]));
        let counts = &mut self.contents;
        counts.entries += 1;
        let meta = name.ends_with(".meta");
        let error = name.ends_with(".err") && size == 0;
        match group.as_str() {
            _ if error => counts.unreadable += 1,
            // A message has a meta and its bytes; contacts and folders have a meta alone.
            "message" if !meta => counts.messages += 1,
            "contact" if meta => counts.contacts += 1,
            "appointment" | "task" if meta => counts.calendar += 1,
            "folder" if meta => counts.folders += 1,
            _ => {}
        }
        Some(())
    }
}

/// A number of a header: octal text, or GNU's big-endian binary where its first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|b| b & 0x80 != 0) {
        let (zeros, low) = field.split_at(field.len().checked_sub(8)?);
        let fits = zeros.iter().enumerate().all(|(n, b)| *b == if n == 0 { 0x80 } else { 0 });
        return fits.then(|| low.try_into().ok().map(u64::from_be_bytes)).flatten().filter(|n| *n < 1 << 60);
    }
    let digits: Vec<u8> =
        field.iter().copied().skip_while(|b| *b == b' ').take_while(|b| !matches!(b, 0 | b' ')).collect();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};

    fn header(name: &str, size: usize, group: &str, kind: u8) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[156] = kind;
        block[297..297 + group.len()].copy_from_slice(group.as_bytes());
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    /// An export with one of everything; the end mark may be missing.
    fn tar(ended: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, content, group, kind) in [
            ("0000000002-Inbox.meta", "{}", "folder", b'0'),
            ("././@LongLink", "Inbox/0000000258-a very long subject.eml", "", b'L'),
            ("Inbox/0000000258-a.eml.meta", "{}", "message", b'0'),
            ("Inbox/0000000258-a.eml", "From: a\r\n\r\nhello\r\n", "message", b'0'),
            ("Inbox/0000000259-b.eml.meta", "{}", "message", b'0'),
            ("Inbox/0000000259-b.eml", "     ", "message", b'0'),
            ("Inbox/0000000259-b.eml.err", "", "message", b'0'),
            ("Contacts/0000000260-Ana.meta", "{}", "contact", b'0'),
            ("Calendar/0000000261-x.ics.meta", "{}", "appointment", b'0'),
        ] {
            bytes.extend(header(name, content.len(), group, kind));
            bytes.extend(content.as_bytes());
            bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        }
        bytes.resize(bytes.len() + if ended { 2 * BLOCK } else { 0 }, 0);
        bytes
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(bytes).expect("memory");
        gzip.finish().expect("memory")
    }

    fn watched(bytes: &[u8], piece: usize) -> Result<Contents, Broken> {
        let mut watcher = Watcher::default();
        bytes.chunks(piece).for_each(|piece| watcher.take(piece));
        watcher.finish()
    }

    #[test]
    fn a_whole_export_is_counted_however_it_comes_in_pieces() {
        let bytes = packed(&tar(true));
        for piece in [1, 7, 512, 100_000] {
            let found = watched(&bytes, piece).expect("whole");
            assert_eq!((found.entries, found.messages, found.unreadable), (8, 2, 1));
            assert_eq!((found.folders, found.contacts, found.calendar), (1, 1, 1));
        }
    }

    #[test]
    fn an_export_that_is_cut_at_any_byte_is_not_whole() {
        let bytes = packed(&tar(true));
        for length in 0..bytes.len() {
            let found = watched(&bytes[..length], 64);
            // Without its last bytes only, behind the end mark of the tar, its CRC cannot be right.
            let told = match length {
                0 => matches!(found, Err(Broken::Empty)),
                1 => matches!(found, Err(Broken::NoArchive(_))),
                _ if length + 40 > bytes.len() => found.is_err(),
                _ => matches!(found, Err(Broken::Cut { .. })),
            };
            assert!(told, "cut to {length} of {} bytes: {found:?}", bytes.len());
        }
        assert!(matches!(watched(&packed(&tar(false)), 64), Err(Broken::Cut { .. })), "gzip is whole, tar is not");
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        let bytes = packed(&tar(true));
        for at in 10..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x10;
            if watched(&bytes, 64).is_ok() {
                // A repeated byte can be named in two ways.
                let mut unpacked = Vec::new();
                io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut unpacked).expect("gzip");
                assert_eq!(unpacked, tar(true), "byte {at}");
            }
        }
    }

    #[test]
    fn what_is_no_archive_is_quoted() {
        assert_eq!(watched(b"", 1), Err(Broken::Empty));
        let error = watched(b"ERROR: account.NO_SUCH_ACCOUNT\n", 5).expect_err("text");
        assert_eq!(error, Broken::NoArchive("ERROR: account.NO_SUCH_ACCOUNT ".to_owned()));
        assert!(matches!(watched(&packed(b"hello"), 64), Err(Broken::Cut { .. })));
        assert!(matches!(watched(&packed(&[b'x'; 2000]), 64), Err(Broken::Damaged(_))));
    }

    #[test]
    fn sizes_in_binary_are_read_and_absurd_ones_refused() {
        let mut field = [0; 12];
        field[0] = 0x80;
        field[4..].copy_from_slice(&(9_u64 << 30).to_be_bytes());
        assert_eq!(number(&field), Some(9 << 30));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(b"00000000017\0"), Some(15));
        assert_eq!(number(b"        \0"), Some(0));
        assert_eq!(number(b"0000009z\0"), None);
    }
}
