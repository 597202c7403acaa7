//! PST and OST files as a [`Store`]: what `gatepost-pst` reads, made into messages by `gatepost-mapi`.

use crate::containers::names::Names;
use crate::containers::section::Section;
use crate::outlook::{self, Origin};
use crate::{ArchiveError, Described, FolderNumber, FoundFolder, ItemKind, Limits, Locator, Store, Visitor};
use gatepost_contract::SpecialUse;
use gatepost_mapi::{Kind, mime};
use gatepost_pst::{Bytes, Folder, ItemRef, Pst, PstError, Role};
use gatepost_transfer::FolderPath;
use std::io::{self, Write};

/// Messages whose notes came too late to stand beside them are named in the notes of the file, so many at most.
const MOST_LATE: u64 = 20;

/// A PST or OST file.
pub(crate) struct PstStore {
    pst: Pst,
    described: Described,
    bytes: u64,
    /// Levels of folders at most.
    depth: usize,
}

impl PstStore {
    /// Whether a file without the first mark of a PST has the second (MS-PST section 2.2.2.6): its reader then says what
    /// is wrong with it.
    pub(crate) fn may_be(file: &Section) -> io::Result<bool> {
        Ok(matches!(file.bytes(8, 2)?.as_slice(), b"SM" | b"SO"))
    }

    /// Opens a file.
    pub(crate) fn open(section: Section, limits: &Limits) -> Result<Self, ArchiveError> {
        let bytes = section.len();
        // The client's mark: "SM" in a PST, "SO" in an OST.
        let offline = section.bytes(8, 2)? == b"SO";
        let pst = Pst::open(section).map_err(|error| match error {
            PstError::Io(error) => ArchiveError::Io(error),
            PstError::Damaged(sentence) => ArchiveError::Damaged(sentence),
            other => ArchiveError::NotRecognised(capital(&other.to_string())),
        })?;
        let described = Described {
            format: format!("{}, {}", if offline { "OST" } else { "PST" }, pst.format()),
            encoding: Some(pst.encoding().to_string()),
        };
        Ok(Self { pst, described, bytes, depth: limits.depth })
    }

    fn scan_folder(&self, folder: &Folder, scan: &mut Scan, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let path = path_of(folder, &mut scan.names, self.depth);
        let found = FoundFolder { path, special_use: special_use(folder.role), declared: folder.declared };
        // A folder of contacts or of the program's own is told when there is something in it.
        let mut number = None;
        if !folder.outside && !folder.path.is_empty() && is_for_mail(folder) {
            number = Some(visitor.folder(found.clone())?);
        }
        for item in self.pst.items(folder.nid).map_err(io_error)? {
            if folder.outside && !is_of_a_person(item.class.as_deref().unwrap_or_default()) {
                continue;
            }
            let number = match number {
                Some(number) => number,
                None => *number.insert(visitor.folder(found.clone())?),
            };
            self.scan_item(&item, number, &found.path, scan, visitor)?;
            scan.done += 1;
            visitor.progress(scan.place(self.bytes), self.bytes)?;
        }
        Ok(())
    }

    fn scan_item(
        &self,
        item: &ItemRef,
        folder: FolderNumber,
        path: &FolderPath,
        scan: &mut Scan,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        let origin = |notes, early| Origin {
            locator: Locator { at: u64::from(item.nid), more: 0, name: None },
            title: item.subject.clone(),
            salvaged: item.salvaged,
            early,
            notes,
            modified: None,
        };
        let message = match self.pst.message(item.nid) {
            Ok(message) => message,
            Err(PstError::Io(error)) => return Err(error.into()),
            Err(error) => {
                let origin = origin(&Vec::new, false);
                return outlook::unread(item.class.clone(), origin, folder, &error.to_string(), visitor);
            }
        };
        let notes = || message.notes();
        let early = item.salvaged || !self.pst.damage().is_empty();
        if let Some(late) = outlook::tell(&message, origin(&notes, early), folder, visitor)? {
            scan.late += 1;
            if scan.late <= MOST_LATE {
                visitor.damage(format!("{path}: {late}"))?;
            }
        }
        Ok(())
    }
}

/// How far a scan is.
#[derive(Default)]
struct Scan {
    done: u64,
    total: u64,
    late: u64,
    names: Names,
}

impl Scan {
    /// As a part of the file's bytes: its items lie anywhere in it.
    fn place(&self, bytes: u64) -> u64 {
        let place = u128::from(bytes) * u128::from(self.done) / u128::from(self.total.max(1));
        u64::try_from(place).unwrap_or(bytes).min(bytes)
    }
}

impl Store for PstStore {
    fn describe(&self) -> Described {
        self.described.clone()
    }

    fn scan(&mut self, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        visitor.progress(0, self.bytes)?;
        let folders = self.pst.folders().map_err(io_error)?;
        let total = folders.iter().filter_map(|f| f.declared).fold(0_u64, u64::saturating_add);
        let mut scan = Scan { total, ..Scan::default() };
        for folder in &folders {
            self.scan_folder(folder, &mut scan, visitor)?;
        }
        if scan.late > MOST_LATE {
            visitor.damage(format!("{} more messages have parts that could not be read.", scan.late - MOST_LATE))?;
        }
        scan.names.say(self.depth, &mut |sentence| visitor.damage(sentence))?;
        for sentence in self.pst.damage() {
            visitor.damage(sentence)?;
        }
        visitor.progress(self.bytes, self.bytes)
    }

    fn message(&mut self, locator: &Locator, out: &mut dyn Write) -> Result<(), ArchiveError> {
        let nid =
            u32::try_from(locator.at).map_err(|_| ArchiveError::Unreadable("There is no such item.".to_owned()))?;
        let message = self.pst.message(nid).map_err(|error| match error {
            PstError::Io(error) => ArchiveError::Io(error),
            error => ArchiveError::Unreadable(error.to_string()),
        })?;
        outlook::written(out, |out| mime::write(&message, out)).map(drop)
    }
}

impl Bytes for Section {
    fn len(&self) -> u64 {
        Self::len(self)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        Self::read_at(self, buffer, offset)
    }
}

/// The path without what no person sees: the root of a mailbox's copy (`Root - Mailbox`, `IPM_SUBTREE`).
fn path_of(folder: &Folder, names: &mut Names, depth: usize) -> FolderPath {
    let hidden = |level: &String| matches!(level.as_str(), "Root - Mailbox" | "Root - Public" | "IPM_SUBTREE");
    let skip = folder.path.iter().take(2).take_while(|level| hidden(level)).count();
    let mut levels: Vec<String> = folder.path[skip..].iter().map(|level| names.level(level.as_bytes())).collect();
    for level in &mut levels {
        if level.is_empty() {
            level.push_str("(no name)");
        }
    }
    names.cut(&mut levels, depth);
    if levels.is_empty() { FolderPath::inbox() } else { FolderPath::new(levels) }
}

/// Whether a folder is one for mail (PidTagContainerClass); one that says nothing is.
fn is_for_mail(folder: &Folder) -> bool {
    let skip =
        matches!(folder.path.last().map(String::as_str), Some("Root - Mailbox" | "IPM_SUBTREE" | "Root - Public"));
    let class = folder.class.as_deref().unwrap_or("IPF.Note");
    !skip && (class.is_empty() || class.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("IPF.Note")))
}

/// Whether an item beside the tree that Outlook shows is somebody's all the same: the program keeps its settings, views
/// and times there, which are no items of a mailbox.
fn is_of_a_person(class: &str) -> bool {
    let begins = |word: &str| class.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let mail = ["IPM.Note", "IPM.Post", "IPM.Schedule.Meeting", "REPORT."].into_iter().any(begins);
    mail || matches!(outlook::item_kind(Kind::of(class)), Some(kind) if kind != ItemKind::Other)
}

fn special_use(role: Option<Role>) -> Option<SpecialUse> {
    match role? {
        Role::Inbox => Some(SpecialUse::Inbox),
        Role::Sent => Some(SpecialUse::Sent),
        Role::Deleted => Some(SpecialUse::Trash),
        Role::Drafts => Some(SpecialUse::Drafts),
        Role::Junk => Some(SpecialUse::Junk),
        Role::Archive => Some(SpecialUse::Archive),
        _ => None,
    }
}

fn io_error(error: PstError) -> ArchiveError {
    match error {
        PstError::Io(error) => ArchiveError::Io(error),
        other => ArchiveError::Damaged(capital(&other.to_string())),
    }
}

/// A sentence begins with a capital.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests;
