//! One thread's share of an export: what it is told, and what it makes of every so many of the messages.

use super::{
    Exported, NAMED,
    files::{Written, make, write},
    mboxes::{EXTENSION, Place, Taking},
    order::Order,
};
use crate::{
    ArchiveError, Content, FolderNumber, FoundFolder, FoundItem, FoundMessage, ItemKind, Visitor,
    names::{FolderNames, safe},
};
use gatepost_transfer::FolderPath;
use mail_parser::MessageParser;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Takes what a store tells.
pub(super) struct Share<'a> {
    directory: &'a Path,
    /// Where messages go that are written as mbox.
    order: Option<&'a Order>,
    /// Which part of how many is this thread's.
    part: (u64, u64),
    /// Messages and items so far.
    seen: u64,
    /// What comes next, where the store has asked for it and it is this thread's.
    next: Option<Turn>,
    names: FolderNames,
    folders: Vec<Folder>,
    by_path: HashMap<FolderPath, FolderNumber>,
    /// A buffer to take messages in.
    buffer: Vec<u8>,
    exported: Exported,
    progress: &'a mut dyn FnMut(u64, u64),
    cancel: &'a CancellationToken,
}

struct Folder {
    path: FolderPath,
    /// Its directory.
    directory: PathBuf,
    /// Its mbox.
    mbox: Arc<Place>,
    /// Messages and items so far.
    entries: u64,
}

/// The numbers of a message or an item: in its folder, and among all.
#[derive(Clone, Copy)]
struct Turn {
    in_folder: u64,
    of_all: u64,
}

impl<'a> Share<'a> {
    pub fn new(
        directory: &'a Path,
        order: Option<&'a Order>,
        part: (u64, u64),
        progress: &'a mut dyn FnMut(u64, u64),
        cancel: &'a CancellationToken,
    ) -> Self {
        Self {
            directory,
            order,
            part,
            seen: 0,
            next: None,
            // The file of a folder and the directory of another must not want one name.
            names: if order.is_some() { FolderNames::beside(EXTENSION) } else { FolderNames::default() },
            folders: Vec::new(),
            by_path: HashMap::new(),
            buffer: Vec::new(),
            exported: Exported::default(),
            progress,
            cancel,
        }
    }

    /// Ends it; gives what this thread has written. Of mbox files those that are empty are among it alone.
    pub fn finish(mut self) -> Result<Exported, ArchiveError> {
        self.pass_over()?;
        if self.order.is_some() && self.part.0 == 0 {
            for folder in self.folders.iter().filter(|folder| folder.entries == 0) {
                folder.mbox.make_empty()?;
            }
        }
        Ok(self.exported)
    }

    fn folder_of(&mut self, number: FolderNumber) -> Result<&mut Folder, ArchiveError> {
        let missing = || ArchiveError::Io(io::Error::other("something was told for a folder that was not"));
        self.folders.get_mut(number as usize).ok_or_else(missing)
    }

    fn count(
        &mut self,
        written: Result<Written, ArchiveError>,
        folder: FolderNumber,
        mail: bool,
    ) -> Result<(), ArchiveError> {
        match written {
            Ok(Written::Now(bytes)) => {
                self.exported.messages += u64::from(mail);
                self.exported.items += u64::from(!mail);
                self.exported.bytes += bytes;
                Ok(())
            }
            Ok(Written::Before) => {
                self.exported.already_there += 1;
                Ok(())
            }
            Err(error) => self.failed(error, folder),
        }
    }

    /// What cannot be read is left out; what cannot be written ends all.
    fn failed(&mut self, error: ArchiveError, folder: FolderNumber) -> Result<(), ArchiveError> {
        match error {
            _ if self.cancel.is_cancelled() => Err(ArchiveError::Stopped),
            error @ (ArchiveError::Io(_) | ArchiveError::Stopped) => Err(error),
            error => self.left_out(folder, error.to_string()),
        }
    }

    fn left_out(&mut self, folder: FolderNumber, why: String) -> Result<(), ArchiveError> {
        let path = self.folder_of(folder)?.path.to_string();
        if self.exported.unreadable.len() < NAMED {
            self.exported.unreadable.push((path, why));
        } else {
            self.exported.more_unreadable += 1;
        }
        Ok(())
    }

    /// The numbers of the next message or item of a folder, where it is this thread's.
    fn count_next(&mut self, folder: FolderNumber) -> Result<Option<Turn>, ArchiveError> {
        let at = self.folder_of(folder)?;
        at.entries += 1;
        let in_folder = at.entries;
        let (part, of) = self.part;
        self.seen += 1;
        Ok((self.seen % of == part).then_some(Turn { in_folder, of_all: self.seen }))
    }

    /// The same, where the store may have asked for it before.
    fn mine(&mut self, folder: FolderNumber) -> Result<Option<Turn>, ArchiveError> {
        self.check()?;
        match self.next.take() {
            None => self.count_next(folder),
            asked => Ok(asked),
        }
    }

    /// Lets those behind it go on: nothing of it goes into an mbox.
    fn pass(&self, turn: Turn) -> Result<(), ArchiveError> {
        self.order.map_or(Ok(()), |order| order.hand_over(turn.of_all, None))
    }

    /// The same with what the store has asked for and never told.
    fn pass_over(&mut self) -> Result<(), ArchiveError> {
        self.next.take().map_or(Ok(()), |turn| self.pass(turn))
    }

    /// Makes a message an entry of its folder's mbox, and hands that over.
    fn enter(
        &mut self,
        order: &Order,
        turn: Turn,
        folder: FolderNumber,
        found: &FoundMessage,
        content: Content<'_>,
    ) -> Result<(), ArchiveError> {
        let place = Arc::clone(&self.folder_of(folder)?.mbox);
        let mut taking = Taking::new(std::mem::take(&mut self.buffer), self.directory, self.cancel);
        if let Err(error) = content(&mut taking) {
            self.failed(error, folder)?;
            return self.pass(turn);
        }
        let (made, buffer) = taking.made(order.buffer(), (folder, &place), found.internal_date, &found.flags)?;
        self.buffer = buffer;
        order.hand_over(turn.of_all, Some(made))
    }

    fn check(&self) -> Result<(), ArchiveError> {
        if self.cancel.is_cancelled() { Err(ArchiveError::Stopped) } else { Ok(()) }
    }
}

impl Visitor for Share<'_> {
    fn folder(&mut self, folder: FoundFolder) -> Result<FolderNumber, ArchiveError> {
        self.check()?;
        let known = self.by_path.get(&folder.path).copied();
        let name = match (known, self.order) {
            (Some(number), None) => return Ok(number),
            (None, _) => self.names.of(&folder.path),
            // Two folders of one path have a file each.
            (Some(_), Some(_)) => self.names.another(&folder.path),
        };
        let directory = self.directory.join(name);
        if self.order.is_none() {
            make(&directory)?;
        }
        let number = FolderNumber::try_from(self.folders.len())
            .map_err(|_| ArchiveError::TooMuch("The file has more folders than can be told apart.".to_owned()))?;
        self.by_path.insert(folder.path.clone(), number);
        let mbox = Arc::new(Place::beside(&directory));
        self.folders.push(Folder { path: folder.path, directory, mbox, entries: 0 });
        self.exported.folders += 1;
        Ok(number)
    }

    fn wants(&mut self, folder: FolderNumber) -> Result<bool, ArchiveError> {
        self.check()?;
        self.pass_over()?;
        self.next = self.count_next(folder)?;
        Ok(self.next.is_some())
    }

    fn message(&mut self, folder: FolderNumber, found: FoundMessage, content: Content<'_>) -> Result<(), ArchiveError> {
        let Some(turn) = self.mine(folder)? else { return Ok(()) };
        if let Some(order) = self.order {
            return self.enter(order, turn, folder, &found, content);
        }
        let directory = self.folder_of(folder)?.directory.clone();
        let written = write(&directory, Some(found.internal_date), content, self.cancel, |head| {
            let parsed = MessageParser::default().parse_headers(head);
            let subject = parsed.as_ref().and_then(mail_parser::Message::subject).unwrap_or_default();
            (stem(turn, subject), "eml")
        });
        self.count(written, folder, true)
    }

    fn unreadable(&mut self, folder: FolderNumber, _: FoundMessage, why: String) -> Result<(), ArchiveError> {
        // It keeps its number.
        let Some(turn) = self.mine(folder)? else { return Ok(()) };
        self.left_out(folder, why)?;
        self.pass(turn)
    }

    fn item(&mut self, folder: FolderNumber, item: FoundItem, content: Content<'_>) -> Result<(), ArchiveError> {
        let Some(turn) = self.mine(folder)? else { return Ok(()) };
        let directory = self.folder_of(folder)?.directory.clone();
        if self.order.is_some() {
            make(&directory)?;
        }
        let FoundItem { kind, title, .. } = item;
        let kind: ItemKind = kind;
        let written = write(&directory, None, content, self.cancel, |_| (stem(turn, &title), kind.extension()));
        self.count(written, folder, false)?;
        self.pass(turn)
    }

    fn damage(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.exported.damage.len() < NAMED {
            self.exported.damage.push(sentence);
        }
        Ok(())
    }

    fn loss(&mut self, sentence: String) -> Result<(), ArchiveError> {
        self.check()?;
        if self.exported.losses.len() < NAMED {
            self.exported.losses.push(sentence);
        }
        Ok(())
    }

    fn progress(&mut self, done: u64, total: u64) -> Result<(), ArchiveError> {
        self.check()?;
        (self.progress)(done, total);
        Ok(())
    }
}

/// The name of a file without its ending: its number, and what it is called.
fn stem(turn: Turn, title: &str) -> String {
    let (number, title) = (turn.in_folder, title.trim());
    if title.is_empty() { format!("{number:05}") } else { format!("{number:05} {}", safe(title)) }
}
