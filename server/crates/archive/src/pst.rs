//! PST and OST files as a [`Store`]: what `gatepost-pst` reads, made into messages by `gatepost-mapi`.

use crate::containers::names::{Names, count};
use crate::containers::section::Section;
use crate::outlook::{self, Origin};
use crate::{ArchiveError, Described, FolderNumber, FoundFolder, Limits, Locator, Store, Visitor};
use gatepost_contract::SpecialUse;
use gatepost_mapi::{facts, mime};
use gatepost_pst::{Bytes, Folder, ItemRef, Pst, PstError, Role};
use gatepost_transfer::FolderPath;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Messages whose notes came too late to stand beside them are named in the notes of the file, so many at most.
const MOST_LATE: u64 = 20;

/// A PST or OST file.
pub(crate) struct PstStore {
    pst: Pst,
    described: Described,
    bytes: u64,
    /// Levels of folders at most.
    depth: usize,
    fault: Fault,
}

/// The first error of the medium.
type Fault = Arc<Mutex<Option<io::Error>>>;

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
        let fault = Fault::default();
        let pst = Pst::open(Watched { section, fault: Arc::clone(&fault) }).map_err(|error| match error {
            PstError::Io(error) => ArchiveError::Io(error),
            PstError::Damaged(sentence) => ArchiveError::Damaged(sentence),
            other => ArchiveError::NotRecognised(capital(&other.to_string())),
        })?;
        let described = Described {
            format: format!("{}, {}", if offline { "OST" } else { "PST" }, pst.format()),
            encoding: Some(pst.encoding().to_string()),
        };
        Ok(Self { pst, described, bytes, depth: limits.depth, fault })
    }

    fn scan_folder(&self, folder: &Folder, scan: &mut Scan, visitor: &mut dyn Visitor) -> Result<(), ArchiveError> {
        let path = path_of(folder, &mut scan.names, self.depth);
        let found = FoundFolder { path, special_use: special_use(folder.role), declared: folder.declared };
        // A folder of contacts or of the program's own is told when there is something in it.
        let mut number = None;
        if !folder.outside && !folder.path.is_empty() && is_for_mail(folder) {
            number = Some(visitor.folder(found.clone())?);
        }
        let mut items = self.pst.items(folder.nid).map_err(io_error)?;
        let mut met = 0_u64;
        for mut item in items.by_ref() {
            // An item that could not be read would be passed over, and those behind it take its place.
            self.fault()?;
            met += 1;
            if folder.outside {
                if item.class.is_none() {
                    // Its folder's list does not say; where it cannot be read it is told as what it may be.
                    item.class = self.pst.message(item.nid).ok().map(|item| facts(&item).class);
                }
                if item.class.as_deref().is_some_and(is_the_programs_own) {
                    scan.left_out += 1;
                    continue;
                }
            }
            let number = match number {
                Some(number) => number,
                None => *number.insert(visitor.folder(found.clone())?),
            };
            if visitor.wants(number)? {
                self.scan_item(&item, number, &found.path, scan, visitor)?;
            }
            scan.done += 1;
            visitor.progress(scan.place(self.bytes), self.bytes)?;
        }
        scan.met = scan.met.saturating_add(met);
        if let Some(sentence) = fewer(&found.path, folder.declared, met, items.damaged()) {
            visitor.loss(sentence)?;
        }
        self.fault()
    }

    /// The medium's own fault, where it did not give the bytes: what was read around it is no damage of the file.
    fn fault(&self) -> Result<(), ArchiveError> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        fault.map_or(Ok(()), |error| Err(error.into()))
    }

    fn scan_item(
        &self,
        item: &ItemRef,
        folder: FolderNumber,
        path: &FolderPath,
        scan: &mut Scan,
        visitor: &mut dyn Visitor,
    ) -> Result<(), ArchiveError> {
        let sound = || self.fault();
        let origin = |notes, early| Origin {
            locator: Locator { at: u64::from(item.nid), more: 0, name: None },
            title: item.subject.clone(),
            salvaged: item.salvaged,
            early,
            notes,
            sound: &sound,
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
                visitor.loss(format!("{path}: {late}"))?;
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
    /// Items that were met, and those of them that are the program's own.
    met: u64,
    left_out: u64,
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
            visitor.loss(format!("{} more messages have parts that could not be read.", scan.late - MOST_LATE))?;
        }
        let known = self.pst.known_items().map_err(io_error)?;
        if known > scan.met {
            visitor.loss(format!(
                "The index of the file names {}; {} of them were found in its folders.",
                count(known, "item", "items"),
                scan.met
            ))?;
        }
        // Of an empty mailbox nothing is to be said.
        if scan.left_out > 0 && scan.met > scan.left_out {
            let items = count(
                scan.left_out,
                "item that Outlook keeps for itself (settings, views, rules) was",
                "items that Outlook keeps for itself (settings, views, rules) were",
            );
            visitor.damage(format!("{items} left out."))?;
        }
        scan.names.say(self.depth, &mut |sentence| visitor.damage(sentence))?;
        self.fault()?;
        for sentence in self.pst.damage() {
            if is_harmless(&sentence) { visitor.damage(sentence)? } else { visitor.loss(sentence)? }
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
        let written = outlook::written(out, |out| mime::write(&message, out)).map(drop);
        self.fault()?;
        written
    }
}

/// A file that keeps the first error of its medium: a reader of damaged files goes around whatever it cannot have.
struct Watched {
    section: Section,
    fault: Fault,
}

impl Bytes for Watched {
    fn len(&self) -> u64 {
        self.section.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.section.read_at(buffer, offset);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            let copy = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(copy);
        }
        read
    }
}

/// What a folder lacks by its own count, or may lack where its list is damaged.
fn fewer(path: &FolderPath, declared: Option<u64>, met: u64, damaged: bool) -> Option<String> {
    match declared {
        Some(declared) if declared > met => Some(format!(
            "The folder {path} says that it holds {}; {met} of them are in the file.",
            count(declared, "item", "items")
        )),
        _ if damaged => Some(format!(
            "The list of the items of the folder {path} is damaged: {} found, and there may have been more.",
            count(met, "item was", "items were")
        )),
        _ => None,
    }
}

/// Whether a sentence about the file is about something that costs no mail.
fn is_harmless(sentence: &str) -> bool {
    const HARMLESS: [&str; 7] = [
        "The header names the encoding ",
        "The checksum of ",
        "The description of the store ",
        "Folders below the depth of ",
        "The names of the folders are too long",
        "The file has no list of named properties",
        "The list of named properties ",
    ];
    HARMLESS.iter().any(|begins| sentence.starts_with(begins))
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

/// Whether an item beside the tree that Outlook shows is one of those that the program keeps there for itself: its
/// settings, views, rules and times, which are no items of a mailbox (MS-OXOCFG, MS-OXORULE, MS-OXODLGT).
fn is_the_programs_own(class: &str) -> bool {
    const OWN: [&str; 14] = [
        "IPC",
        "IPM.Aggregation",
        // Copies of chats that Exchange keeps for inquiries.
        "IPM.AppointmentSnapshot",
        "IPM.Configuration",
        "IPM.ConversationAction",
        "IPM.ExtendedRule",
        "IPM.MailboxAssociation",
        "IPM.MessageManager",
        "IPM.Microsoft",
        "IPM.Rule",
        "IPM.Sharing.Configuration",
        "IPM.Sharing.Index",
        "IPM.SkypeTeams",
        "IPM.UserActivity",
    ];
    OWN.iter().any(|own| {
        class.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own))
            && matches!(class.as_bytes().get(own.len()), None | Some(b'.'))
    })
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
