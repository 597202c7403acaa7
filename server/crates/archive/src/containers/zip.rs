//! zip archives (APPNOTE 6.3), with zip64: stored and deflated files. The directory at the end is read entry by entry,
//! so that an archive of millions of files costs no memory; a file is unpacked as it is read.

use super::{
    Body, Deflated, Each, Entry, Event, Handle, Tree, directory,
    names::{Names, count, shown},
    section::Section,
};
use crate::{ArchiveError, Limits};
use gatepost_transfer::InternalDate;
use std::io;
use time::{Date, Month, Time};

const CENTRAL: u32 = 0x0201_4b50;
const LOCAL: u32 = 0x0403_4b50;
const END: &[u8] = b"PK\x05\x06";
/// What may stand between the directory and the end: a signature, zip64's own end and what leads to it.
const BEHIND: [u32; 3] = [0x0505_4b50, 0x0606_4b50, 0x0706_4b50];
/// Where the count of a zip without zip64 begins anew: macOS writes more entries than that, and no zip64.
const ROUND: u64 = 1 << 16;

/// A zip archive.
pub(crate) struct Zip {
    file: Section,
    /// Where the directory begins, and where its end is written down.
    directory: u64,
    end: u64,
    /// How many entries it is said to have.
    counted: u64,
    /// Whether this count has room for all.
    zip64: bool,
    /// How many it has, as far as that is known.
    entries: u64,
    limits: Limits,
}

/// Whether bytes are the beginning of a zip.
pub(crate) fn is_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(END) || head.starts_with(b"PK\x07\x08PK")
}

impl Zip {
    /// A file whose directory can be found.
    pub(crate) fn new(file: Section, limits: &Limits) -> Result<Self, ArchiveError> {
        let tail_at = file.len().saturating_sub(22 + 65_535);
        let tail = file.bytes(tail_at, 22 + 65_535)?;
        let end = memchr::memmem::rfind(&tail, END).filter(|at| tail.len() - at >= 22).ok_or_else(|| {
            ArchiveError::Damaged(
                "The zip is cut off or damaged: the directory at its end is missing. Bring the whole file.".to_owned(),
            )
        })?;
        let record = &tail[end..];
        let (mut counted, mut directory) = (u64::from(u16_at(record, 10)), u64::from(u32_at(record, 16)));
        let end = tail_at + end as u64;
        let mut zip64 = false;
        if (counted == 0xffff || directory == 0xffff_ffff) && end >= 20 {
            let locator = file.bytes(end - 20, 20)?;
            if locator.starts_with(b"PK\x06\x07") {
                let record = file.bytes(u64_at(&locator, 8), 56)?;
                if record.len() == 56 && record.starts_with(b"PK\x06\x06") {
                    (counted, directory) = (u64_at(&record, 32), u64_at(&record, 48));
                    zip64 = true;
                }
            }
        }
        if counted > limits.entries {
            return Err(directory::too_many(limits.entries));
        }
        if directory > file.len() {
            return Err(ArchiveError::Damaged(
                "The zip is damaged, or one part of several: its directory does not lie in it.".to_owned(),
            ));
        }
        Ok(Self { file, directory, end, counted, zip64, entries: counted, limits: limits.clone() })
    }

    /// An entry of the directory, and where the next begins.
    fn central(&self, at: u64) -> io::Result<Option<(Central, u64)>> {
        let fixed = self.file.bytes(at, 46)?;
        if fixed.len() < 46 || u32_at(&fixed, 0) != CENTRAL {
            return Ok(None);
        }
        let (name, extra, comment) = (u16_at(&fixed, 28), u16_at(&fixed, 30), u16_at(&fixed, 32));
        let rest = self.file.bytes(at + 46, usize::from(name) + usize::from(extra))?;
        if rest.len() < usize::from(name) + usize::from(extra) {
            return Ok(None);
        }
        let (name, extra) = rest.split_at(usize::from(name));
        let mut entry = Central {
            name: name.to_vec(),
            flags: u16_at(&fixed, 8),
            method: u16_at(&fixed, 10),
            modified: dos_time(u16_at(&fixed, 14), u16_at(&fixed, 12)),
            crc: u32_at(&fixed, 16),
            packed: u64::from(u32_at(&fixed, 20)),
            bytes: u64::from(u32_at(&fixed, 24)),
            mode: if fixed[5] == 3 || fixed[5] == 19 { u32_at(&fixed, 38) >> 16 } else { 0 },
            local: u64::from(u32_at(&fixed, 42)),
        };
        entry.read_extra(extra);
        let next = at + 46 + rest.len() as u64 + u64::from(comment);
        Ok(Some((entry, next)))
    }

    /// What is to be said of a directory that ends there after so many entries, where its count says otherwise.
    fn mismatch(&self, at: u64, found: u64) -> io::Result<Option<Event>> {
        let behind = self.file.bytes(at, 4)?;
        let ends = at == self.end || behind.len() == 4 && BEHIND.contains(&u32_at(&behind, 0));
        let (counted, missing) = (self.counted, self.counted.saturating_sub(found));
        Ok(if missing > 0 {
            Some(Event::Loss(format!("The zip is damaged: {missing} of its {counted} entries cannot be found.")))
        } else if !ends {
            Some(Event::Loss(format!(
                "The zip is damaged: its directory cannot be read on behind {}. What may be listed there is missing; \
                 bring the whole file if you can.",
                count(found, "entry", "entries")
            )))
        } else if found == counted || !self.zip64 && (found - counted).is_multiple_of(ROUND) {
            None
        } else {
            Some(Event::Damage(format!(
                "The zip says that it has {}, and its directory lists {found}. All that are listed were read.",
                count(counted, "entry", "entries")
            )))
        })
    }

    /// An entry's content, or why it cannot be had.
    fn body(&self, entry: &Central) -> io::Result<Result<Body, String>> {
        if entry.flags & 1 != 0 {
            return Ok(Err(
                "It is protected by a password in the zip. Unpack the zip and bring its content.".to_owned()
            ));
        }
        let local = self.file.bytes(entry.local, 30)?;
        if local.len() < 30 || u32_at(&local, 0) != LOCAL {
            return Ok(Err("The zip is damaged: it is not where the directory says.".to_owned()));
        }
        let data = entry.local + 30 + u64::from(u16_at(&local, 26)) + u64::from(u16_at(&local, 28));
        let packed = self.file.part(data, entry.packed);
        if packed.len() < entry.packed {
            return Ok(Err("The zip ends in the middle of it.".to_owned()));
        }
        Ok(match entry.method {
            0 if entry.packed == entry.bytes => Ok(Body::Plain(packed)),
            8 => Ok(Body::Deflated(Deflated { packed, bytes: entry.bytes, crc: entry.crc })),
            method => Err(format!("It is compressed in a way that is not read here (method {method}).")),
        })
    }
}

impl Tree for Zip {
    fn kind(&self) -> &'static str {
        "zip"
    }

    fn total(&self) -> u64 {
        self.entries
    }

    fn walk(&mut self, each: Each<'_>) -> Result<(), ArchiveError> {
        let mut names = Names::default();
        let most = self.limits.unpacked_from(self.file.len());
        let (mut links, mut first_link) = (0_u64, String::new());
        let (mut at, mut unpacked, mut n) = (self.directory, 0_u64, 0_u64);
        // Not the count says where the directory ends, but what stands in it.
        while at < self.end
            && let Some((entry, next)) = self.central(at)?
        {
            if n == self.limits.entries {
                return Err(directory::too_many(self.limits.entries));
            }
            unpacked = unpacked.saturating_add(entry.bytes);
            if unpacked > most {
                return Err(ArchiveError::TooMuch(format!(
                    "The zip unpacks to more than {most} bytes, which is the bound for a file of {} bytes.",
                    self.file.len()
                )));
            }
            let (mut levels, name) = names.path(&entry.name, self.limits.depth);
            let kind = entry.mode & 0o170_000;
            if entry.name.ends_with(b"/") || entry.name.ends_with(b"\\") || kind == 0o040_000 {
                levels.push(name);
                levels.retain(|level| !level.is_empty());
                names.cut(&mut levels, self.limits.depth);
                if !levels.is_empty() {
                    each(Event::Directory(levels))?;
                }
            } else if kind != 0 && kind != 0o100_000 {
                if links == 0 {
                    first_link = shown(&entry.name);
                }
                links += 1;
            } else {
                match self.body(&entry)? {
                    Ok(body) => each(Event::File(Entry {
                        levels,
                        name,
                        handle: Handle::Place(at, 0),
                        modified: entry.modified,
                        group: None,
                        place: n,
                        body,
                    }))?,
                    Err(why) => each(Event::Lost(levels, name, why))?,
                }
            }
            at = next;
            n += 1;
        }
        self.entries = n;
        if let Some(said) = self.mismatch(at, n)? {
            each(said)?;
        }
        if links > 0 {
            let left_out = count(links, "link or device was", "links or devices were");
            each(Event::Damage(format!("{left_out} left out: {first_link}.")))?;
        }
        names.say(self.limits.depth, &mut |sentence| each(Event::Damage(sentence)))
    }

    fn open(&mut self, handle: &Handle) -> Result<Body, ArchiveError> {
        let Handle::Place(at, _) = handle else { return Err(directory::gone("An entry of the zip")) };
        let (entry, _) = self.central(*at)?.ok_or_else(|| directory::gone("An entry of the zip"))?;
        self.body(&entry)?.map_err(ArchiveError::Unreadable)
    }
}

/// An entry of the directory.
struct Central {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    modified: Option<InternalDate>,
    crc: u32,
    packed: u64,
    bytes: u64,
    /// The Unix mode, where the archive was made on Unix.
    mode: u32,
    local: u64,
}

impl Central {
    /// Reads the extra fields: zip64 (0x0001), the Unix time (0x5455), the Unicode path (0x7075).
    fn read_extra(&mut self, mut extra: &[u8]) {
        while extra.len() >= 4 {
            let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
            let Some(mut value) = extra.get(4..4 + length) else { break };
            extra = &extra[4 + length..];
            match id {
                0x0001 => {
                    for field in [&mut self.bytes, &mut self.packed, &mut self.local] {
                        if *field == 0xffff_ffff && value.len() >= 8 {
                            *field = u64_at(value, 0);
                            value = &value[8..];
                        }
                    }
                }
                0x5455 if value.len() >= 5 && value[0] & 1 != 0 => {
                    let seconds = i32::from_le_bytes([value[1], value[2], value[3], value[4]]);
                    self.modified = Some(InternalDate { seconds: seconds.into(), zone_minutes: 0 });
                }
                0x7075 if value.len() > 5 => {
                    let mut crc = flate2::Crc::new();
                    crc.update(&self.name);
                    if crc.sum() == u32_at(value, 1) {
                        self.name = value[5..].to_vec();
                    }
                }
                _ => {}
            }
        }
    }
}

/// A date of MS-DOS, in steps of two seconds and without a zone.
fn dos_time(date: u16, time: u16) -> Option<InternalDate> {
    let part = |value: u16, shift: u16, mask: u16| u8::try_from(value >> shift & mask).ok();
    let month = Month::try_from(part(date, 5, 15)?).ok()?;
    let day = Date::from_calendar_date(i32::from(date >> 9) + 1980, month, part(date, 0, 31)?).ok()?;
    let clock = Time::from_hms(part(time, 11, 31)?, part(time, 5, 63)?, part(time, 0, 31)? * 2).ok()?;
    Some(InternalDate::from_time(day.with_time(clock).assume_utc()))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::zip;

    fn walked(bytes: Vec<u8>, limits: &Limits) -> Result<(Vec<String>, Vec<String>), ArchiveError> {
        let (mut files, mut damage) = (Vec::new(), Vec::new());
        Zip::new(Section::of_bytes(bytes), limits)?.walk(&mut |event| {
            match event {
                Event::File(entry) => {
                    let mut content = String::new();
                    match io::Read::read_to_string(&mut entry.body.reader(), &mut content) {
                        Ok(_) => files.push(format!("{}|{}={content}", entry.levels.join("/"), entry.name)),
                        Err(e) => files.push(format!("{} bad: {e}", entry.name)),
                    }
                }
                Event::Lost(_, name, why) => files.push(format!("{name} lost: {why}")),
                Event::Loss(sentence) | Event::Damage(sentence) => damage.push(sentence),
                Event::Directory(levels) => files.push(format!("{}/", levels.join("/"))),
                Event::Alive => {}
            }
            Ok(())
        })?;
        Ok((files, damage))
    }

    fn limits() -> Limits {
        Limits::new(std::env::temp_dir())
    }

    #[test]
    fn files_are_read_in_their_order_and_tricks_are_made_safe() {
        let long = "x".repeat(4000);
        let bytes = zip(&[("Inbox/", ""), ("Inbox/a.eml", "one"), ("../../b", "two"), (&long, "three"), ("c", &long)]);
        let (files, damage) = walked(bytes, &limits()).unwrap();
        assert_eq!(files[..3], ["Inbox/", "Inbox|a.eml=one", "|b=two"]);
        assert!(files[3].ends_with("=three") && files[3].len() < 210, "{}", files[3]);
        assert_eq!(files[4], format!("|c={long}"));
        assert_eq!(damage.len(), 1, "{damage:?}");
    }

    #[test]
    fn damage_is_told_and_the_rest_is_read() {
        let good = zip(&[("a", "one one one one"), ("b", "two two two two")]);
        let place = memchr::memmem::find(&good, b"PK\x01\x02").unwrap();
        let mut bad_sum = good.clone();
        bad_sum[place + 16] ^= 1;
        let mut gone = good.clone();
        gone[0] ^= 1;
        let mut locked = good.clone();
        locked[place + 8] |= 1;
        let mut odd = good.clone();
        odd[place + 10] = 99;
        let mut longer = good.clone();
        longer[place + 24] += 1;
        for (bytes, wanted) in [
            (bad_sum, "a bad: its checksum in the zip is wrong"),
            (gone, "a lost: The zip is damaged: it is not where the directory says."),
            (locked, "a lost: It is protected by a password in the zip. Unpack the zip and bring its content."),
            (odd, "a lost: It is compressed in a way that is not read here (method 99)."),
            (longer, "a bad: it is cut off in the zip"),
        ] {
            let (files, _) = walked(bytes, &limits()).unwrap();
            assert_eq!(files, [wanted, "|b=two two two two"]);
        }
        let error = walked(good[..good.len() - 30].to_vec(), &limits()).unwrap_err();
        assert!(matches!(&error, ArchiveError::Damaged(s) if s.contains("cut off")), "{error}");
    }

    /// What a zip tells whose last record names this count.
    fn with_count(mut bytes: Vec<u8>, count: u16, limits: &Limits) -> (usize, Vec<String>, Vec<String>) {
        let end = bytes.len() - 22;
        for at in [end + 8, end + 10] {
            bytes[at..at + 2].copy_from_slice(&count.to_le_bytes());
        }
        let (mut files, mut losses, mut damage) = (0, Vec::new(), Vec::new());
        let mut zip = Zip::new(Section::of_bytes(bytes), limits).unwrap();
        zip.walk(&mut |event| {
            match event {
                Event::File(_) => files += 1,
                Event::Loss(sentence) => losses.push(sentence),
                Event::Damage(sentence) => damage.push(sentence),
                _ => {}
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(zip.total(), files as u64);
        (files, losses, damage)
    }

    #[test]
    fn the_directory_is_read_to_its_end_whatever_its_count_says() {
        let good = zip(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]);
        assert_eq!(with_count(good.clone(), 4, &limits()), (4, vec![], vec![]));
        let (files, losses, damage) = with_count(good.clone(), 2, &limits());
        assert_eq!((files, losses), (4, vec![]));
        assert_eq!(
            damage,
            ["The zip says that it has 2 entries, and its directory lists 4. All that are listed were read."]
        );
        let (files, losses, _) = with_count(good.clone(), 7, &limits());
        assert_eq!(files, 4);
        assert_eq!(losses, ["The zip is damaged: 3 of its 7 entries cannot be found."]);
        // A record that is broken, behind as many as are counted.
        let mut broken = good.clone();
        let third = memchr::memmem::find_iter(&good, b"PK\x01\x02").nth(2).unwrap();
        broken[third] ^= 1;
        let (files, losses, _) = with_count(broken, 2, &limits());
        assert_eq!(files, 2);
        assert!(losses[0].contains("cannot be read on behind 2 entries"), "{losses:?}");
        let few = Limits { entries: 3, ..limits() };
        let mut bytes = good;
        let end = bytes.len() - 22;
        bytes[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
        let error = walked(bytes, &few).unwrap_err();
        assert!(matches!(error, ArchiveError::TooMuch(_)), "{error}");
    }

    #[test]
    fn more_entries_than_the_count_has_room_for_are_all_read() {
        // As macOS writes them: the count begins anew at 65 536, and there is no zip64.
        let names: Vec<String> = (0..ROUND + 4).map(|n| n.to_string()).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let mut bytes = zip(&files);
        let zip64 = memchr::memmem::rfind(&bytes, b"PK\x06\x06").unwrap();
        let (size, at) = (u64_at(&bytes, zip64 + 40), u64_at(&bytes, zip64 + 48));
        bytes.truncate(zip64);
        bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\0\0\0\0");
        bytes.extend_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(at).unwrap().to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        assert_eq!(with_count(bytes.clone(), 4, &limits()), (65_540, vec![], vec![]));
        let (files, losses, damage) = with_count(bytes, 6, &limits());
        assert_eq!((files, losses.len(), damage.len()), (65_540, 0, 1));
    }

    #[test]
    fn bombs_are_refused_before_they_are_unpacked() {
        let limits = Limits { unpacked: 1000, entries: 2, ..limits() };
        for bytes in [zip(&[("a", &"x".repeat(2000))]), zip(&[("a", ""), ("b", ""), ("c", "")])] {
            let error = walked(bytes, &limits).unwrap_err();
            assert!(matches!(error, ArchiveError::TooMuch(_)), "{error}");
        }
    }

    #[test]
    fn sizes_above_four_gigabytes_and_unix_times_stand_in_extra_fields() {
        let full = || Central {
            name: b"Sa\xEDda".to_vec(),
            flags: 0,
            method: 8,
            modified: None,
            crc: 0,
            packed: 0xffff_ffff,
            bytes: 0xffff_ffff,
            mode: 0,
            local: 7,
        };
        let mut entry = full();
        let mut extra = vec![1, 0, 16, 0];
        extra.extend((5_u64 << 32).to_le_bytes());
        extra.extend((4_u64 << 32).to_le_bytes());
        extra.extend([0x55, 0x54, 5, 0, 1, 0, 0x10, 0x5E, 0x5F]);
        entry.read_extra(&extra);
        assert_eq!((entry.bytes, entry.packed, entry.local), (5 << 32, 4 << 32, 7));
        assert_eq!(entry.modified.map(|d| d.seconds), Some(0x5F5E_1000));
        for length in 0..extra.len() {
            full().read_extra(&extra[..length]);
        }
        assert_eq!(dos_time(0x5221, 0x6000).map(|d| d.to_string()).as_deref(), Some("2021-01-01T12:00:00+00:00"));
        assert_eq!(dos_time(0, 0), None);
    }

    #[test]
    fn no_flipped_byte_makes_it_panic() {
        let good = zip(&[("Inbox/a.eml", "one one one one"), ("b", "")]);
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let _ = walked(bad, &limits());
            }
        }
    }
}
