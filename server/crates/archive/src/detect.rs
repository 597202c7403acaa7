//! What a file or folder is, by its content: its name is believed in nothing.

use crate::containers::section::Section;
use crate::containers::{Directory, Event, Tar, Tree, Zip, is_gzip, is_tar, is_zip};
use crate::formats::tree::sniff::{self, HEAD, Sniffed, begins_as_mail, sniff};
use crate::formats::{mbox, zimbra};
use crate::{ArchiveError, Limits};
use flate2::read::MultiGzDecoder;
use gatepost_contract::SourceType;
use std::io::{self, Read as _};
use std::path::Path;

/// Files of a tree that are looked at.
const FILES: u64 = 500;
/// Bytes of a compressed tar that are unpacked to look into it.
const PEEK: u64 = 4 << 20;

/// What a file or folder is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// What it is.
    pub kind: Kind,
    /// The same for people, with what to do where it cannot be used: `This is an mbox file.`
    pub sentence: String,
}

/// Kinds of files and folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file without a byte.
    Empty,
    /// A PST or OST.
    Pst,
    /// An mbox file.
    Mbox,
    /// One message.
    Message,
    /// An export of Zimbra or Carbonio.
    Zimbra(Place),
    /// Files of mail: single messages or Maildirs, mbox files, or both.
    Mail {
        /// Where they lie.
        place: Place,
        /// Whether there are messages as files.
        messages: bool,
        /// Whether there are mbox files.
        mboxes: bool,
        /// Whether there are Maildirs.
        maildirs: bool,
    },
    /// Files, and no mail among them but in archives or data files of their own, which are not opened there.
    Nested(Place),
    /// Files, and no mail among them.
    NoMail(Place),
    /// Something else.
    Unknown,
}

/// What files lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder on disk.
    Folder,
    /// A zip.
    Zip,
    /// A tar, compressed or not.
    Tar,
}

impl Detected {
    /// The source type that reads it best.
    #[must_use]
    pub fn source_type(&self) -> Option<SourceType> {
        [SourceType::Pst, SourceType::Eml, SourceType::Mbox, SourceType::Tgz].into_iter().find(|t| self.fits(*t))
    }

    /// Whether a source of this type can be read from it.
    #[must_use]
    pub fn fits(&self, source_type: SourceType) -> bool {
        match self.kind {
            Kind::Pst => source_type == SourceType::Pst,
            Kind::Mbox => source_type == SourceType::Mbox,
            Kind::Message => source_type == SourceType::Eml,
            Kind::Zimbra(_) => source_type == SourceType::Tgz,
            Kind::Mail { place, messages, mboxes, maildirs } => match source_type {
                SourceType::Mbox => mboxes || maildirs && !messages,
                SourceType::Eml => messages || maildirs,
                SourceType::Tgz => place == Place::Tar,
                _ => false,
            },
            Kind::Empty | Kind::Nested(_) | Kind::NoMail(_) | Kind::Unknown => false,
        }
    }
}

/// Looks at a file or folder.
///
/// # Errors
/// Where it cannot be read.
pub fn detect(path: &Path) -> Result<Detected, ArchiveError> {
    let limits = Limits { entries: u64::MAX, ..Limits::new("/nowhere") };
    if path.metadata()?.is_dir() {
        return Ok(described(peek(&mut Directory::new(path, &limits)?, Place::Folder)?, None));
    }
    let file = Section::at_path(path)?;
    let kind = of_file(&file, &limits)?;
    Ok(described(kind, (kind == Kind::Unknown).then(|| looks_like(&file)).transpose()?))
}

pub(crate) fn of_file(file: &Section, limits: &Limits) -> Result<Kind, ArchiveError> {
    let head = file.bytes(0, HEAD)?;
    if head.is_empty() {
        return Ok(Kind::Empty);
    }
    if is_zip(&head) {
        return match Zip::new(file.clone(), limits) {
            Ok(mut zip) => peek(&mut zip, Place::Zip),
            // What is wrong with it is said when it is opened.
            Err(ArchiveError::Damaged(_) | ArchiveError::TooMuch(_)) => Ok(Kind::NoMail(Place::Zip)),
            Err(e) => Err(e),
        };
    }
    if is_gzip(file)? {
        let mut start = Vec::new();
        // Where it is cut off or damaged, what comes before is looked at.
        let _ = MultiGzDecoder::new(io::BufReader::new(file.reader())).take(PEEK).read_to_end(&mut start);
        return if is_tar(&start) {
            peek(&mut Tar::new(Section::of_bytes(start), limits)?, Place::Tar)
        } else {
            Ok(Kind::Unknown)
        };
    }
    if is_tar(&head) {
        return peek(&mut Tar::new(file.clone(), limits)?, Place::Tar);
    }
    if head.starts_with(b"!BDN") {
        return Ok(Kind::Pst);
    }
    if mbox::is_mbox(file)? {
        return Ok(Kind::Mbox);
    }
    Ok(match sniff("", &head, file.len()) {
        Sniffed::Message | Sniffed::Outlook => Kind::Message,
        // Something stands in front of its first message, which is told when it is read.
        Sniffed::Mbox => Kind::Mbox,
        _ => Kind::Unknown,
    })
}

/// Looks at the first files of a tree.
fn peek(tree: &mut dyn Tree, place: Place) -> Result<Kind, ArchiveError> {
    let (mut files, mut is_zimbra) = (0, false);
    let (mut messages, mut mboxes, mut maildirs, mut nested) = (false, false, false, false);
    let walked = tree.walk(&mut |event| {
        match event {
            Event::Directory(levels) => maildirs |= levels.last().is_some_and(|last| last == "cur"),
            Event::File(entry) => {
                if place != Place::Folder && zimbra::is_meta(&entry.name, &entry.body)? {
                    is_zimbra = true;
                    return Err(ArchiveError::Stopped);
                }
                let head = entry.body.head(HEAD)?;
                let maildir = entry.levels.last().is_some_and(|last| last == "cur" || last == "new");
                match sniff(&entry.name, &head, entry.body.len()) {
                    Sniffed::Message if maildir && !entry.name.ends_with(".eml") => maildirs = true,
                    Sniffed::Message | Sniffed::Outlook => messages = true,
                    Sniffed::Mbox => mboxes = true,
                    Sniffed::Pst | Sniffed::Archive(_) => nested = true,
                    _ => {}
                }
                files += 1;
            }
            Event::Lost(_, name, _) => messages |= name.ends_with(".eml"),
            Event::Loss(_) | Event::Damage(_) | Event::Alive => {}
        }
        if files >= FILES { Err(ArchiveError::Stopped) } else { Ok(()) }
    });
    match walked {
        Ok(()) | Err(ArchiveError::Stopped | ArchiveError::TooMuch(_)) => {}
        Err(e) => return Err(e),
    }
    Ok(match (is_zimbra, messages || mboxes || maildirs) {
        (true, _) => Kind::Zimbra(place),
        (false, true) => Kind::Mail { place, messages, mboxes, maildirs },
        (false, false) if nested => Kind::Nested(place),
        (false, false) => Kind::NoMail(place),
    })
}

fn described(kind: Kind, looks_like: Option<&'static str>) -> Detected {
    let sentence = match kind {
        Kind::Empty => "The file is empty: there is not one byte in it. Bring it again.".to_owned(),
        Kind::Pst => "This is an Outlook data file (PST or OST).".to_owned(),
        Kind::Mbox => "This is an mbox file.".to_owned(),
        Kind::Message => "This is a single message.".to_owned(),
        Kind::Zimbra(place) => format!("This is {} with an export of Zimbra or Carbonio.", place.name()),
        Kind::Mail { place, messages, mboxes, maildirs } => {
            let parts = [(messages, "messages as files (.eml)"), (mboxes, "mbox files"), (maildirs, "Maildirs")];
            let parts: Vec<&str> = parts.iter().filter(|(there, _)| *there).map(|(_, what)| *what).collect();
            format!("This is {} with {}.", place.name(), parts.join(" and "))
        }
        Kind::Nested(place) => format!(
            "This is {} without mail of its own, but with a data file of Outlook or an archive in it, which is not opened \
             there. Unpack it and bring what is in it.",
            place.name()
        ),
        Kind::NoMail(place) => {
            format!("This is {} without mail that can be read: no .eml, no mbox file, no Maildir.", place.name())
        }
        Kind::Unknown => format!(
            "This is no file of mail that can be read (PST, OST, mbox, .eml, a zip or tar of these, a Zimbra export): {}.",
            looks_like.unwrap_or("it is not known what it is")
        ),
    };
    Detected { kind, sentence }
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Folder => "a folder",
            Self::Zip => "a zip",
            Self::Tar => "a tar archive",
        }
    }
}

/// What a file looks like that is none of ours.
fn looks_like(file: &Section) -> Result<&'static str, ArchiveError> {
    let head = file.bytes(0, HEAD)?;
    if let Some(what) = sniff::looks_like(&head) {
        return Ok(what);
    }
    if head.iter().all(|b| *b == 0) {
        return Ok("it begins with nothing but zeros; it may not have been copied whole");
    }
    let text = head.iter().filter(|b| !b.is_ascii_control() || b.is_ascii_whitespace()).count();
    Ok(if begins_as_mail(&head) {
        "it begins as a message"
    } else if text == head.len() && std::str::from_utf8(&head[..head.len().min(HEAD - 4)]).is_ok() {
        "it looks like text"
    } else {
        "it is not known what it is"
    })
}
