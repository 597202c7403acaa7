//! tar archives, plain or compressed by gzip: ustar, GNU (long names, sizes in base 256) and pax (path, size, mtime).
//! Only the headers are read to walk them. A compressed one is unpacked into a temporary file first, so that messages
//! can be had in any order; that file has no name.

mod headers;

use super::{
    Body, Each, Entry, Event, Handle, Tree, directory,
    names::Names,
    names::{count, shown},
    section::Section,
};
use crate::{ArchiveError, Limits};
use flate2::read::MultiGzDecoder;
use gatepost_transfer::InternalDate;
use headers::{End, Found, Header, Headers, Next};
use std::collections::HashMap;
use std::io::{self, Read, Write as _};
use std::num::NonZeroU64;
use std::sync::Arc;

/// How many files may have a second name (a hard link): the place of each is held.
const MOST_LINKED: usize = 400_000;

/// A tar archive.
pub(crate) struct Tar {
    packed: Section,
    /// The archive itself; `None` as long as it is not unpacked.
    plain: Option<Section>,
    /// What went wrong when it was unpacked.
    cut: Option<String>,
    /// The files that have a second name, once one was met.
    linked: Option<Places>,
    limits: Limits,
}

impl Tar {
    /// A file that is a tar, or a tar compressed by gzip.
    pub(crate) fn new(file: Section, limits: &Limits) -> io::Result<Self> {
        let plain = (!is_gzip(&file)?).then(|| file.clone());
        Ok(Self { packed: file, plain, cut: None, linked: None, limits: limits.clone() })
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
        let mut places = self.linked.take();
        if let Some(places) = &mut places {
            places.forget();
        }
        let mut headers = Headers::new(&file, self.limits.entries);
        let end = loop {
            let found = match headers.next()? {
                Next::Entry(found) => *found,
                Next::End(end) => break end,
            };
            let partial = found.partial();
            let Found { at, data, bytes, header, extra } = found;
            let path = extra.name.or(extra.path).unwrap_or(header.path);
            let (mut levels, name) = names.path(&path, self.limits.depth);
            if let Some(why) = partial {
                each(Event::Lost(levels, name, why.to_owned()))?;
                continue;
            }
            match header.kind {
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
                kind @ (0 | b'0' | b'7' | b'1') => {
                    let link = (kind == b'1').then(|| extra.link.unwrap_or(header.link));
                    // A name more of a file: Dovecot copies a message so.
                    let place = match &link {
                        Some(target) => {
                            if places.is_none() {
                                places = Some(Places::before(&file, at, &self.limits, each)?);
                            }
                            places.as_ref().and_then(|places| places.get(target))
                        }
                        None => Some((data, bytes)),
                    };
                    if let Some((from, length)) = place {
                        if let Some(places) = &mut places {
                            places.put(&path, (from, length));
                        }
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
                        let why =
                            format!("It is a second name of {target}, which is not in front of it in the archive.");
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
        };
        let at = headers.at;
        self.linked = places;
        if links > 0 {
            each(Event::Damage(format!(
                "{} left out: {first_link}.",
                count(
                    links,
                    "symbolic link, device or other entry that is no file was",
                    "symbolic links, devices or other entries that are no files were"
                )
            )))?;
        }
        names.say(self.limits.depth, &mut |sentence| each(Event::Damage(sentence)))?;
        match (&self.cut, end) {
            (Some(cut), _) => each(Event::Loss(cut.clone())),
            (None, End::Damaged(place)) => each(Event::Loss(format!(
                "The archive is damaged: at byte {at}, {place}, it cannot be read on. What comes behind is missing."
            ))),
            (None, End::Missing) => each(Event::Loss(
                "The archive has no end mark: it was cut off, or written without one. What stood behind its last entry \
                 is missing. Compare it with the archive that it was taken from, and bring the whole file; where it is \
                 whole, unpack it and pack it anew."
                    .to_owned(),
            )),
            (None, End::Marked) => Ok(()),
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

/// Where the files lie that have a second name, by digests of their names: what a hard link stands for. Only those are
/// held, so that an archive of millions of files costs no memory.
struct Places(HashMap<[u8; 16], Option<NonZeroPlace>>);

/// Where a file's content begins, which is never 0, and how long it is.
type NonZeroPlace = (NonZeroU64, u64);

impl Places {
    /// All that are linked to anywhere in an archive, and where those of them lie that stand in front of its first link.
    fn before(file: &Section, first_link: u64, limits: &Limits, each: Each<'_>) -> Result<Self, ArchiveError> {
        /// Entries between two signs of life.
        const STEP: u64 = 4096;
        let mut places = Self(HashMap::new());
        let mut headers = Headers::new(file, limits.entries);
        while let Next::Entry(found) = headers.next()? {
            if headers.entries.is_multiple_of(STEP) {
                each(Event::Alive)?;
            }
            if found.header.kind == b'1' {
                places.0.entry(Self::key(&found.extra.link.unwrap_or(found.header.link))).or_default();
                if places.0.len() > MOST_LINKED {
                    return Err(ArchiveError::TooMuch(format!(
                        "More than {MOST_LINKED} of its files have a second name (hard links), which is the bound. Pack \
                         it anew without these, with tar --hard-dereference, or split it into several."
                    )));
                }
            }
        }
        let mut headers = Headers::new(file, limits.entries);
        while let Next::Entry(found) = headers.next()? {
            if found.at >= first_link {
                break;
            }
            if headers.entries.is_multiple_of(STEP) {
                each(Event::Alive)?;
            }
            if found.header.holds_file()
                && found.partial().is_none()
                && found.data.saturating_add(found.bytes) <= file.len()
            {
                places.put(&found.extra.path.unwrap_or(found.header.path), (found.data, found.bytes));
            }
        }
        Ok(places)
    }

    fn key(path: &[u8]) -> [u8; 16] {
        let mut path = path;
        while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")) {
            path = rest;
        }
        let mut key = [0; 16];
        blake3::Hasher::new().update(path).finalize_xof().fill(&mut key);
        key
    }

    /// Forgets where they lie, for another walk.
    fn forget(&mut self) {
        self.0.values_mut().for_each(|place| *place = None);
    }

    /// Notes where a file lies, if it is one that is linked to.
    fn put(&mut self, path: &[u8], (at, bytes): (u64, u64)) {
        if let Some(place) = self.0.get_mut(&Self::key(path)) {
            *place = NonZeroU64::new(at).map(|at| (at, bytes));
        }
    }

    fn get(&self, path: &[u8]) -> Option<(u64, u64)> {
        self.0.get(&Self::key(path)).copied().flatten().map(|(at, bytes)| (at.get(), bytes))
    }
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
        let mut again = 0;
        tree.walk(&mut |event| {
            again += usize::from(matches!(event, Event::File(_) | Event::Lost(..)));
            Ok(())
        })?;
        assert_eq!(again, files.len(), "a second walk tells the same");
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
        assert!(damage[0].starts_with("The archive has no end mark"), "{damage:?}");
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
    fn an_archive_that_is_cut_between_two_entries_is_not_taken_for_whole() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits::new(work.path());
        let plain = tar(&[("a", "one"), ("b", "two")]);
        for (blocks, whole) in [(2, false), (4, false), (5, true), (6, true)] {
            for bytes in [plain[..512 * blocks].to_vec(), gzip(&plain[..512 * blocks])] {
                let mut losses = Vec::new();
                let mut tree = Tar::new(Section::of_bytes(bytes), &limits).unwrap();
                tree.walk(&mut |event| {
                    if let Event::Loss(sentence) = event {
                        losses.push(sentence);
                    }
                    Ok(())
                })
                .unwrap();
                assert_eq!(losses.is_empty(), whole, "{blocks} blocks: {losses:?}");
                assert!(losses.iter().all(|s| s.starts_with("The archive has no end mark")), "{losses:?}");
            }
        }
    }

    #[test]
    fn only_what_has_a_second_name_is_held() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits::new(work.path());
        let names: Vec<String> = (0..500).map(|n| format!("cur/{n}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let held = |bytes: Vec<u8>| {
            let mut tree = Tar::new(Section::of_bytes(bytes), &limits).unwrap();
            for _ in 0..2 {
                tree.walk(&mut |_| Ok(())).unwrap();
            }
            tree.linked.map(|places| places.0.len())
        };
        let plain = tar(&files);
        assert_eq!(held(plain.clone()), None);
        let mut archive = tar::Builder::new(plain[..plain.len() - 1024].to_vec());
        for (name, target) in [("cur/a", "cur/7"), ("cur/b", "./cur/7"), ("cur/c", "cur/400")] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            archive.append_link(&mut header, name, target).unwrap();
        }
        assert_eq!(held(archive.into_inner().unwrap()), Some(2));
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

    /// An entry of one kind, with what stands in its header at some places.
    fn entry(kind: u8, name: &str, content: &[u8], put: &[(usize, u8)]) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_path(name).unwrap();
        header.set_entry_type(tar::EntryType::new(kind));
        put.iter().for_each(|(at, byte)| header.as_mut_bytes()[*at] = *byte);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    /// Records of two digits in length.
    fn pax(records: &[(&str, &str)]) -> Vec<u8> {
        let record = |(key, value): &(&str, &str)| format!("{} {key}={value}\n", key.len() + value.len() + 5);
        records.iter().map(record).collect::<String>().into_bytes()
    }

    #[test]
    fn a_sparse_file_and_the_rest_of_one_are_lost_under_their_names_and_all_others_are_read() {
        let work = tempfile::tempdir().unwrap();
        let made_up = "cur/GNUSparseFile.25496/1";
        let named = pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "cur/1"), ("GNU.sparse.realsize", "40000")]);
        let plain = pax(&[("GNU.sparse.size", "40000"), ("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "7")]);
        let rest = pax(&[("GNU.volume.filename", "cur/1"), ("GNU.volume.size", "9"), ("GNU.volume.offset", "4")]);
        // Two more blocks of the map, the first of which says that another one follows.
        let mut mapped = entry(b'S', "cur/1", b"content", &[(482, 1)]);
        let mut map = vec![1; 1024];
        map[512 + 504] = 0;
        mapped.splice(512..512, map);
        let cases = [
            (entry(b'S', "cur/1", b"content", &[]), "--sparse"),
            (mapped, "--sparse"),
            ([entry(b'x', "p", &named, &[]), entry(b'0', made_up, b"content", &[])].concat(), "--sparse"),
            ([entry(b'x', "p", &plain, &[]), entry(b'0', "cur/1", b"content", &[])].concat(), "--sparse"),
            (entry(b'M', "cur/1", b"content", &[]), "another volume"),
            (
                [
                    entry(b'g', "g", &rest, &[]),
                    entry(b'x', "p", &pax(&[("mtime", "1234")]), &[]),
                    entry(b'0', "./GNUFileParts/1.2", b"content", &[]),
                ]
                .concat(),
                "another volume",
            ),
        ];
        for (n, (bytes, word)) in cases.into_iter().enumerate() {
            let mut bytes = [bytes, entry(b'0', "cur/2", b"two", &[])].concat();
            bytes.extend([0; 1024]);
            let (files, damage) = walked(bytes.clone(), &Limits::new(work.path())).unwrap();
            assert_eq!((&files[..], damage.len()), (&["lost 1".to_owned(), "cur|2=two".to_owned()][..], 0), "{n}");
            let mut why = Vec::new();
            let mut tree = Tar::new(Section::of_bytes(bytes), &Limits::new(work.path())).unwrap();
            tree.walk(&mut |event| {
                if let Event::Lost(levels, _, sentence) = event {
                    why.push((levels, sentence));
                }
                Ok(())
            })
            .unwrap();
            assert!(why.len() == 1 && why[0].0 == ["cur"] && why[0].1.contains(word), "{n}: {why:?}");
        }
    }

    /// What GNU tar writes, where it is there.
    #[test]
    fn what_tar_packs_with_sparse_is_told_as_lost() {
        use std::{os::unix::fs::FileExt, process::Command};
        let work = tempfile::tempdir().unwrap();
        let gnu = Command::new("tar").arg("--version").output();
        if !gnu.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("GNU tar")) {
            println!("left out: no GNU tar");
            return;
        }
        std::fs::create_dir(work.path().join("cur")).unwrap();
        let holes = std::fs::File::create(work.path().join("cur/1")).unwrap();
        // More runs than the map in a header has room for.
        for n in 0..30 {
            holes.write_all_at(b"From: a@b\n", n * 65_536).unwrap();
        }
        std::fs::write(work.path().join("cur/2"), "two").unwrap();
        for options in [&["--format=gnu"][..], &["--format=posix"], &["--format=posix", "--sparse-version=0.1"]] {
            let mut tar = Command::new("tar");
            tar.args(options).args(["-cSf", "-", "cur/1", "cur/2"]).current_dir(work.path());
            let packed = tar.output().unwrap();
            assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
            let (files, damage) = walked(packed.stdout, &Limits::new(work.path())).unwrap();
            // A file system without holes keeps the file whole.
            let whole = files.first().is_some_and(|file| file.starts_with("cur|1=From"));
            assert!(whole || files[0] == "lost 1", "{options:?}: {files:?}");
            assert_eq!((&files[1..], damage.len()), (&["cur|2=two".to_owned()][..], 0), "{options:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let work = tempfile::tempdir().unwrap();
        let limits = Limits { unpacked: 100_000, ..Limits::new(work.path()) };
        let error = walked(gzip(&vec![0; 200_000]), &limits).unwrap_err();
        assert!(matches!(error, ArchiveError::TooMuch(_)), "{error}");
    }
}
