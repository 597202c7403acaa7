//! The headers of a tar, one after the other. Names that are too long for a header, and pax's records, are read along.

use super::super::{directory, section::Section};
use crate::ArchiveError;
use std::io;

const BLOCK: u64 = 512;
/// Where a block with more of a sparse file's map says whether another one follows.
const MORE_OF_MAP: usize = 504;
/// The longest name or pax header that is believed.
const LONGEST: u64 = 64 * 1024;

/// How an archive ends.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// As it should: with an empty block. Two are asked for, and some writers save the second.
    Marked,
    /// With its file, behind an entry or in one.
    Missing,
    /// With something that cannot be read on.
    Damaged(&'static str),
}

/// An entry that is one for itself.
pub(super) struct Found {
    /// Where its header is, where its content begins, and how long that is.
    pub(super) at: u64,
    pub(super) data: u64,
    pub(super) bytes: u64,
    pub(super) header: Header,
    pub(super) extra: Extra,
}

pub(super) enum Next {
    Entry(Box<Found>),
    End(End),
}

impl Found {
    /// Why the content is not what the file held, where it is not.
    pub(super) fn partial(&self) -> Option<&'static str> {
        if self.header.kind == b'M' || self.extra.is_rest {
            Some(
                "Only the rest of it is in this archive: it begins in another volume. Unpack all volumes together, and \
                 pack what comes out anew as one archive.",
            )
        } else if self.header.kind == b'S' || self.extra.is_sparse {
            Some(
                "It is packed as a sparse file, without its runs of zeros, which is not read. Pack the archive anew \
                 without --sparse (-S), or unpack it and add what comes out.",
            )
        } else {
            None
        }
    }
}

/// Goes from header to header.
pub(super) struct Headers<'a> {
    file: &'a Section,
    pub(super) at: u64,
    said: Extra,
    empty: u32,
    pub(super) entries: u64,
    most: u64,
}

impl<'a> Headers<'a> {
    pub(super) fn new(file: &'a Section, most: u64) -> Self {
        Self { file, at: 0, said: Extra::default(), empty: 0, entries: 0, most }
    }

    pub(super) fn next(&mut self) -> Result<Next, ArchiveError> {
        loop {
            let at = self.at;
            let block = self.file.bytes(at, 512)?;
            if block.len() < 512 {
                return Ok(Next::End(if !block.is_empty() || self.said.any() {
                    End::Damaged("in the middle of an entry")
                } else if self.empty > 0 {
                    End::Marked
                } else {
                    End::Missing
                }));
            }
            if block.iter().all(|b| *b == 0) {
                // Two empty blocks end an archive. What stands behind them is filling: Zimbra fills with what its buffer
                // still held, whole entries among it.
                self.empty += 1;
                if self.empty == 2 {
                    return Ok(Next::End(End::Marked));
                }
                self.at += BLOCK;
                continue;
            }
            self.empty = 0;
            let Some(header) = Header::parse(&block) else {
                return Ok(Next::End(End::Damaged("where the next entry should be")));
            };
            self.entries += 1;
            if self.entries > self.most {
                return Err(directory::too_many(self.most));
            }
            let mut data = at + BLOCK;
            let mut is_mapped_on = header.is_mapped_on;
            // More of the map stands between the header and the content, and is counted nowhere.
            while is_mapped_on {
                match self.file.bytes(data, 512)?.get(MORE_OF_MAP) {
                    Some(more) => is_mapped_on = *more != 0,
                    None => return Ok(Next::End(End::Damaged("in the middle of an entry"))),
                }
                data += BLOCK;
            }
            let bytes = match header.kind {
                // Some writers name the size of what is linked to, and nothing follows (GNU tar reads it so too).
                b'1' if Header::parse(&self.file.bytes(data, 512)?).is_some() => 0,
                _ => self.said.bytes.filter(|_| header.holds_file()).unwrap_or(header.bytes),
            };
            let Some(next) = bytes.checked_next_multiple_of(BLOCK).and_then(|padded| data.checked_add(padded)) else {
                return Ok(Next::End(End::Damaged("at an entry of an impossible size")));
            };
            self.at = next;
            match header.kind {
                b'L' => self.said.path = Some(content(self.file, data, bytes)?),
                b'K' => self.said.link = Some(content(self.file, data, bytes)?),
                b'x' => self.said.read_pax(&content(self.file, data, bytes)?),
                b'g' => {
                    // Of what is said for all entries, only that a volume begins with the rest of a file matters here.
                    let mut all = Extra::default();
                    all.read_pax(&content(self.file, data, bytes)?);
                    if all.is_rest {
                        (self.said.is_rest, self.said.name) = (true, all.name);
                    }
                }
                _ => {
                    let extra = std::mem::take(&mut self.said);
                    return Ok(Next::Entry(Box::new(Found { at, data, bytes, header, extra })));
                }
            }
        }
    }
}

/// A name or a pax header's content, up to a bound.
fn content(file: &Section, at: u64, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = file.bytes(at, usize::try_from(bytes.min(LONGEST)).unwrap_or(0))?;
    if let Some(end) = content.iter().rposition(|b| *b != 0) {
        content.truncate(end + 1);
    }
    Ok(content)
}

/// What entries in front of an entry say of it.
#[derive(Default)]
pub(super) struct Extra {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    bytes: Option<u64>,
    pub(super) modified: Option<i64>,
    /// Whether the content is kept without its holes (GNU's sparse formats 0.0, 0.1 and 1.0).
    pub(super) is_sparse: bool,
    /// Whether it is the rest of a file that begins in another volume.
    pub(super) is_rest: bool,
    /// What such a file is called; the path is then one that GNU tar made up.
    pub(super) name: Option<Vec<u8>>,
}

impl Extra {
    fn any(&self) -> bool {
        self.path.is_some()
            || self.link.is_some()
            || self.bytes.is_some()
            || self.modified.is_some()
            || self.is_sparse
            || self.is_rest
    }

    /// Records of the form `LENGTH KEY=VALUE\n` (POSIX.1-2001).
    fn read_pax(&mut self, mut rest: &[u8]) {
        while let Some(space) = memchr::memchr(b' ', &rest[..rest.len().min(20)]) {
            let length = std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse::<usize>().ok());
            let Some(record) = length.filter(|n| *n > space).and_then(|n| rest.get(space + 1..n)) else { break };
            rest = &rest[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").unwrap_or(record);
            let Some(equals) = memchr::memchr(b'=', record) else { continue };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            let text = std::str::from_utf8(value).unwrap_or_default();
            self.is_sparse |= key.starts_with(b"GNU.sparse.");
            self.is_rest |= key.starts_with(b"GNU.volume.");
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.bytes = text.parse().ok(),
                b"GNU.sparse.name" | b"GNU.volume.filename" => self.name = Some(value.to_vec()),
                b"mtime" => self.modified = text.split('.').next().and_then(|seconds| seconds.parse().ok()),
                _ => {}
            }
        }
    }
}

/// A header block.
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) path: Vec<u8>,
    /// What a link leads to.
    pub(super) link: Vec<u8>,
    bytes: u64,
    pub(super) modified: i64,
    pub(super) group: Option<String>,
    /// Whether the map of a sparse file goes on behind the header (the old GNU format).
    is_mapped_on: bool,
}

impl Header {
    /// Reads a block; `None` where its checksum or its numbers are wrong.
    pub(super) fn parse(block: &[u8]) -> Option<Self> {
        let stated = number(block.get(148..156)?)?;
        let spaces = 8 * u64::from(b' ');
        let unsigned = |b: &[u8]| b.iter().map(|b| u64::from(*b)).sum::<u64>();
        if stated != unsigned(&block[..148]) + spaces + unsigned(block.get(156..512)?) {
            return None;
        }
        let ustar = block[257..].starts_with(b"ustar");
        let mut path = Vec::new();
        // The old GNU format keeps other things where POSIX keeps the prefix.
        if block[257..].starts_with(b"ustar\0") {
            path.extend_from_slice(until_zero(&block[345..500]));
            if !path.is_empty() {
                path.push(b'/');
            }
        }
        path.extend_from_slice(until_zero(&block[..100]));
        let mut kind = block[156];
        if kind == 0 && path.ends_with(b"/") {
            kind = b'5';
        }
        let group = ustar.then(|| String::from_utf8_lossy(until_zero(&block[297..329])).into_owned());
        Some(Self {
            kind,
            path,
            link: until_zero(&block[157..257]).to_vec(),
            bytes: number(&block[124..136])?,
            modified: i64::try_from(number(&block[136..148]).unwrap_or(0)).unwrap_or(0),
            group: group.filter(|name| !name.is_empty()),
            is_mapped_on: kind == b'S' && block[482] != 0,
        })
    }

    pub(super) fn holds_file(&self) -> bool {
        matches!(self.kind, 0 | b'0' | b'7')
    }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}

/// A number in octal digits, or in base 256 where the first bit is set (GNU).
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        return rest.iter().try_fold(u64::from(first & 0x7f), |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)));
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c: char| c == ' ' || c == '\0');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_headers_say_path_size_and_time() {
        let mut extra = Extra::default();
        extra.read_pax(b"17 path=Sa\xC3\xADda/x\n20 mtime=123.456789\n11 size=77\n999 rubbish");
        assert_eq!(extra.path.as_deref(), Some("Saída/x".as_bytes()));
        assert_eq!((extra.modified, extra.bytes), (Some(123), Some(77)));
        for rubbish in [&b"0 "[..], b"1 ", b"3 a", b"99999999999999999999 a=b\n", b"5 \n=\n=", b" "] {
            Extra::default().read_pax(rubbish);
        }
    }
}
