//! tar archives, plain or compressed by gzip: ustar, GNU (long names, sizes in base 256) and pax (path, size, mtime).
//! Only the headers are read to walk them. A compressed one is unpacked into a temporary file first, so that messages
//! can be had in any order; that file has no name.

use super::{
    Body, Each, Entry, Event, Handle, Tree, directory,
    names::Names,
    names::{count, shown},
    section::Section,
};
use crate::{ArchiveError, Limits};
use flate2::read::MultiGzDecoder;
use gatepost_transfer::InternalDate;
use std::collections::HashMap;
use std::io::{self, Read, Write as _};
use std::sync::Arc;

const BLOCK: u64 = 512;
/// The longest name or pax header that is believed.
const LONGEST: u64 = 64 * 1024;

/// A tar archive.
pub(crate) struct Tar {
    packed: Section,
    /// The archive itself; `None` as long as it is not unpacked.
    plain: Option<Section>,
    /// What went wrong when it was unpacked.
    cut: Option<String>,
    limits: Limits,
}

impl Tar {
    /// A file that is a tar, or a tar compressed by gzip.
    pub(crate) fn new(file: Section, limits: &Limits) -> io::Result<Self> {
        let plain = (!is_gzip(&file)?).then(|| file.clone());
        Ok(Self { packed: file, plain, cut: None, limits: limits.clone() })
    }

    /// Unpacks it, where that has not been done.
    fn plain(&mut self, alive: &mut dyn FnMut() -> Result<(), ArchiveError>) -> Result<Section, ArchiveError> {
        if let Some(plain) = &self.plain {
            return Ok(plain.clone());
        }
        let most = self.limits.unpacked_from(self.packed.len());
        let mut decoder = MultiGzDecoder::new(io::BufReader::with_capacity(64 * 1024, self.packed.reader()));
        self.limits.room(&self.limits.work, self.packed.len())?;
        let mut file = tempfile::tempfile_in(&self.limits.work)?;
        let mut buffer = vec![0; 256 * 1024];
        let (mut bytes, mut told) = (0_u64, 0_u64);
        loop {
            let n = match decoder.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if super::is_damage(&e) => {
                    self.cut = Some(format!(
                        "The archive is cut off or damaged: it can be unpacked up to byte {bytes} only ({e}). What \
                         comes behind is missing; bring the whole file if you can."
                    ));
                    break;
                }
                Err(e) => return Err(e.into()),
            };
            bytes += n as u64;
            if bytes > most {
                return Err(ArchiveError::TooMuch(format!(
                    "The archive unpacks to more than {most} bytes, which is the bound for a file of {} bytes.",
                    self.packed.len()
                )));
            }
            file.write_all(&buffer[..n])?;
            if bytes - told >= Limits::STEP {
                told = bytes;
                alive()?;
                self.limits.room(&self.limits.work, 0)?;
            }
        }
        let section = Section::of_file(Arc::new(file))?;
        self.plain = Some(section.clone());
        Ok(section)
    }
}

/// Whether a file is compressed by gzip.
pub(crate) fn is_gzip(file: &Section) -> io::Result<bool> {
    Ok(file.bytes(0, 3)? == [0x1f, 0x8b, 8])
}

/// Whether bytes are the beginning of a tar.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    head.get(..512).is_some_and(|block| Header::parse(block).is_some())
}

impl Tree for Tar {
    fn kind(&self) -> &'static str {
        "tar"
    }

    fn total(&self) -> u64 {
        self.plain.as_ref().unwrap_or(&self.packed).len()
    }

    fn walk(&mut self, each: Each<'_>) -> Result<(), ArchiveError> {
        let file = self.plain(&mut || each(Event::Alive))?;
        let mut names = Names::default();
        let (mut links, mut first_link) = (0_u64, String::new());
        let mut places = Places::default();
        let (mut at, mut entries) = (0_u64, 0_u64);
        let mut said = Extra::default();
        let mut empty = 0;
        let end = loop {
            let block = file.bytes(at, 512)?;
            if block.len() < 512 {
                break (!block.is_empty() || said.any()).then_some("in the middle of an entry");
            }
            if block.iter().all(|b| *b == 0) {
                // Two empty blocks end an archive. What stands behind them is filling: Zimbra fills with what its buffer
                // still held, whole entries among it.
                empty += 1;
                if empty == 2 {
                    break None;
                }
                at += BLOCK;
                continue;
            }
            empty = 0;
            let Some(header) = Header::parse(&block) else {
                break Some("where the next entry should be");
            };
            entries += 1;
            if entries > self.limits.entries {
                return Err(directory::too_many(self.limits.entries));
            }
            let data = at + BLOCK;
            let bytes = match header.kind {
                // Some writers name the size of what is linked to, and nothing follows (GNU tar reads it so too).
                b'1' if Header::parse(&file.bytes(data, 512)?).is_some() => 0,
                _ => said.bytes.filter(|_| header.holds_file()).unwrap_or(header.bytes),
            };
            let Some(next) = bytes.checked_next_multiple_of(BLOCK).and_then(|padded| data.checked_add(padded)) else {
                break Some("at an entry of an impossible size");
            };
            match header.kind {
                b'L' => said.path = Some(content(&file, data, bytes)?),
                b'K' => said.link = Some(content(&file, data, bytes)?),
                b'x' => said.read_pax(&content(&file, data, bytes)?),
                b'g' => {}
                kind => {
                    let extra = std::mem::take(&mut said);
                    let path = extra.path.unwrap_or(header.path);
                    let (mut levels, name) = names.path(&path, self.limits.depth);
                    match kind {
                        b'5' => {
                            levels.push(name);
                            levels.retain(|level| !level.is_empty());
                            names.cut(&mut levels, self.limits.depth);
                            if !levels.is_empty() {
                                each(Event::Directory(levels))?;
                            }
                        }
                        0 | b'0' | b'7' if data.saturating_add(bytes) > file.len() => {
                            each(Event::Lost(levels, name, "The archive ends in the middle of it.".to_owned()))?;
                        }
                        0 | b'0' | b'7' | b'1' => {
                            let link = (kind == b'1').then(|| extra.link.unwrap_or(header.link));
                            // A name more of a file: Dovecot copies a message so.
                            let found = match &link {
                                Some(target) => places.get(target),
                                None => Some((data, bytes)),
                            };
                            if let Some((from, length)) = found {
                                places.add(&path, (from, length));
                                each(Event::File(Entry {
                                    levels,
                                    name,
                                    handle: Handle::Place(from, length),
                                    modified: Some(InternalDate {
                                        seconds: extra.modified.unwrap_or(header.modified),
                                        zone_minutes: 0,
                                    }),
                                    group: header.group,
                                    place: at,
                                    body: Body::Plain(file.part(from, length)),
                                }))?;
                            } else {
                                let target = shown(&link.unwrap_or_default());
                                let why = format!(
                                    "It is a second name of {target}, which is not in front of it in the archive."
                                );
                                each(Event::Lost(levels, name, why))?;
                            }
                        }
                        _ => {
                            if links == 0 {
                                first_link = shown(&path);
                            }
                            links += 1;
                        }
                    }
                }
            }
            at = next;
        };
        if links > 0 {
            each(Event::Damage(format!(
                "{} left out: {first_link}.",
                count(
                    links,
                    "symbolic link, device or part of a file was",
                    "symbolic links, devices or parts of files were"
                )
            )))?;
        }
        names.say(self.limits.depth, &mut |sentence| each(Event::Damage(sentence)))?;
        match (&self.cut, end) {
            (Some(cut), _) => each(Event::Loss(cut.clone())),
            (None, Some(place)) => each(Event::Loss(format!(
                "The archive is damaged: at byte {at}, {place}, it cannot be read on. What comes behind is missing."
            ))),
            (None, None) => Ok(()),
        }
    }

    fn open(&mut self, handle: &Handle) -> Result<Body, ArchiveError> {
        let file = self.plain(&mut || Ok(()))?;
        match handle {
            Handle::Place(at, bytes) if at.checked_add(*bytes).is_some_and(|end| end <= file.len()) => {
                Ok(Body::Plain(file.part(*at, *bytes)))
            }
            _ => Err(directory::gone("An entry of the archive")),
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

/// Where the files of the archive lie, by digests of their names: what a hard link stands for.
#[derive(Default)]
struct Places(HashMap<[u8; 16], (u64, u64)>);

impl Places {
    fn key(path: &[u8]) -> [u8; 16] {
        let mut path = path;
        while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")) {
            path = rest;
        }
        let mut key = [0; 16];
        blake3::Hasher::new().update(path).finalize_xof().fill(&mut key);
        key
    }

    fn add(&mut self, path: &[u8], place: (u64, u64)) {
        self.0.insert(Self::key(path), place);
    }

    fn get(&self, path: &[u8]) -> Option<(u64, u64)> {
        self.0.get(&Self::key(path)).copied()
    }
}

/// What entries in front of an entry say of it.
#[derive(Default)]
struct Extra {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    bytes: Option<u64>,
    modified: Option<i64>,
}

impl Extra {
    fn any(&self) -> bool {
        self.path.is_some() || self.link.is_some() || self.bytes.is_some() || self.modified.is_some()
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
            match key {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.bytes = text.parse().ok(),
                b"mtime" => self.modified = text.split('.').next().and_then(|seconds| seconds.parse().ok()),
                _ => {}
            }
        }
    }
}

/// A header block.
struct Header {
    kind: u8,
    path: Vec<u8>,
    /// What a link leads to.
    link: Vec<u8>,
    bytes: u64,
    modified: i64,
    group: Option<String>,
}

impl Header {
    /// Reads a block; `None` where its checksum or its numbers are wrong.
    fn parse(block: &[u8]) -> Option<Self> {
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
        })
    }

    fn holds_file(&self) -> bool {
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
    use crate::testing::{gzip, tar};

    fn walked(bytes: Vec<u8>, limits: &Limits) -> Result<(Vec<String>, Vec<String>), ArchiveError> {
        let (mut files, mut damage) = (Vec::new(), Vec::new());
        let mut tree = Tar::new(Section::of_bytes(bytes), limits)?;
        let mut handles = Vec::new();
        tree.walk(&mut |event| {
            match event {
                Event::File(entry) => {
                    let content = String::from_utf8(entry.body.head(100)?).unwrap();
                    handles.push((entry.handle, content.clone()));
                    files.push(format!("{}|{}={content}", entry.levels.join("/"), entry.name));
                }
                Event::Lost(_, name, _) => files.push(format!("lost {name}")),
                Event::Loss(sentence) | Event::Damage(sentence) => damage.push(sentence),
                Event::Directory(_) | Event::Alive => {}
            }
            Ok(())
        })?;
        for (handle, content) in handles {
            assert_eq!(tree.open(&handle)?.head(100)?, content.as_bytes());
        }
        Ok((files, damage))
    }

    #[test]
    fn long_names_links_and_gzip_are_read() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits::new(work.path());
        let long = format!("{}/{}.eml", "d".repeat(90), "n".repeat(150));
        let plain = tar(&[("Inbox/a.eml", "one"), (&long, "two"), ("../x/b", "three"), ("->link", "")]);
        for bytes in [plain.clone(), gzip(&plain)] {
            let (files, damage) = walked(bytes, &limits).unwrap();
            assert_eq!(
                files,
                [
                    "Inbox|a.eml=one".to_owned(),
                    format!("{}|{}.eml=two", "d".repeat(90), "n".repeat(150)),
                    "x|b=three".to_owned(),
                ]
            );
            assert_eq!(damage.len(), 2, "{damage:?}");
        }
        assert_eq!(std::fs::read_dir(work.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_cut_archive_gives_what_it_holds_and_says_so() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits::new(work.path());
        let plain = tar(&[("a", "one"), ("b", "two"), ("c", &"x".repeat(5000))]);
        let (files, damage) = walked(plain[..512 * 5 + 1000].to_vec(), &limits).unwrap();
        assert_eq!(files, ["|a=one", "|b=two", "lost c"]);
        assert!(damage.is_empty(), "{damage:?}");
        let packed = gzip(&plain);
        let (_, damage) = walked(packed[..packed.len() - 12].to_vec(), &limits).unwrap();
        assert!(damage[0].starts_with("The archive is cut off or damaged"), "{damage:?}");
        let mut broken = plain;
        broken[1024 + 3] ^= 1;
        let (files, damage) = walked(broken, &limits).unwrap();
        assert_eq!(files, ["|a=one"]);
        assert!(damage[0].contains("at byte 1024"), "{damage:?}");
    }

    #[test]
    fn a_second_name_of_a_file_gives_the_file_and_one_of_nothing_is_lost() {
        let work = tempfile::tempdir().unwrap();
        let mut archive = tar::Builder::new(tar(&[("./cur/1:2,S", "one")])[..1024].to_vec());
        let long = format!("{}/2:2,S", "d".repeat(120));
        for (name, target) in [(long.as_str(), "cur/1:2,S"), ("cur/3:2,S", &long), ("cur/4:2,S", "cur/gone")] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            archive.append_link(&mut header, name, target).unwrap();
        }
        let (files, damage) = walked(archive.into_inner().unwrap(), &Limits::new(work.path())).unwrap();
        let second = format!("{}|2:2,S=one", "d".repeat(120));
        assert_eq!(files, ["cur|1:2,S=one", &second, "cur|3:2,S=one", "lost 4:2,S"]);
        assert!(damage.is_empty(), "{damage:?}");
    }

    #[test]
    fn a_bomb_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits { unpacked: 100_000, ..Limits::new(work.path()) };
        let error = walked(gzip(&vec![0; 200_000]), &limits).unwrap_err();
        assert!(matches!(error, ArchiveError::TooMuch(_)), "{error}");
    }

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
