//! Opens a file as the source type says, or says what it is instead.

use crate::containers::section::Section;
use crate::containers::{Directory, Tar, Tree, Zip};
use crate::detect::{Detected, Kind, Place, detect};
use crate::formats::mbox::MboxStore;
use crate::formats::single::MessageStore;
use crate::formats::tree::{TreeStore, mbox_folder};
use crate::formats::zimbra::ZimbraStore;
use crate::pst::PstStore;
use crate::{ArchiveError, Limits, Store};
use gatepost_contract::SourceType;
use std::path::Path;

/// Opens a file or folder of mail. `name` is what it was called where it came from: an mbox file is a folder of that
/// name.
///
/// # Errors
/// [`ArchiveError::NotRecognised`] where it is not what the source type says, with a sentence that says what it looks
/// like and what to do; others where it is, and cannot be read.
pub fn open(path: &Path, name: &str, source_type: SourceType, limits: &Limits) -> Result<Box<dyn Store>, ArchiveError> {
    let detected = detect(path)?;
    let file = || -> Result<Section, ArchiveError> { Ok(Section::at_path(path)?) };
    // Damage to a zip or a PST's head is better said by its reader than by a guess.
    match (detected.kind, source_type) {
        (Kind::NoMail(Place::Zip), SourceType::Eml | SourceType::Mbox) => {
            Zip::new(file()?, limits)?;
        }
        (Kind::Unknown | Kind::NoMail(_), SourceType::Pst) if PstStore::may_be(&file()?)? => {
            return Ok(Box::new(PstStore::open(file()?, limits)?));
        }
        _ => {}
    }
    if !detected.fits(source_type) {
        return Err(ArchiveError::NotRecognised(refusal(&detected, source_type)));
    }
    let tree = |place: Place| -> Result<Box<dyn Tree>, ArchiveError> {
        Ok(match place {
            Place::Folder => Box::new(Directory::new(path, limits)?),
            Place::Zip => Box::new(Zip::new(file()?, limits)?),
            Place::Tar => Box::new(Tar::new(file()?, limits)?),
        })
    };
    Ok(match detected.kind {
        Kind::Pst => Box::new(PstStore::open(file()?, limits)?),
        Kind::Mbox => Box::new(MboxStore::new(file()?, mbox_folder(&[], name))),
        Kind::Message => Box::new(MessageStore::new(file()?, limits)),
        Kind::Zimbra(place) => {
            let format = if place == Place::Zip { "Zimbra zip" } else { "Zimbra TGZ" };
            Box::new(ZimbraStore::new(tree(place)?, format.to_owned(), limits))
        }
        Kind::Mail { place, messages, mboxes, maildirs } => {
            let parts = [(messages, "eml"), (mboxes, "mbox"), (maildirs, "Maildir")];
            let parts: Vec<&str> = parts.iter().filter(|(there, _)| *there).map(|(_, what)| *what).collect();
            let place_name = match place {
                Place::Folder => "folder",
                Place::Zip => "zip",
                Place::Tar => "tar",
            };
            let format = format!("{}, {place_name}", parts.join(" and "));
            Box::new(TreeStore::new(tree(place)?, format, limits))
        }
        Kind::Empty | Kind::Nested(_) | Kind::NoMail(_) | Kind::Unknown => {
            return Err(ArchiveError::NotRecognised(refusal(&detected, source_type)));
        }
    })
}

/// What it is instead, and what to do.
fn refusal(detected: &Detected, source_type: SourceType) -> String {
    let sentence = &detected.sentence;
    match (detected.source_type(), detected.kind) {
        (Some(better), _) => format!("{sentence} It cannot be read as {source_type}; choose the source type {better}."),
        (None, Kind::Unknown) if source_type == SourceType::Pst => {
            format!("This is no Outlook data file, whatever its name says. {sentence}")
        }
        _ => sentence.clone(),
    }
}

#[cfg(test)]
mod tests;
