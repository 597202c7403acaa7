//! Reads `.msg` files (MS-OXMSG): one item in an OLE compound file.

mod names;
mod properties;

use crate::{Attachment, Error, Key, Message, Object, Properties, tags};
use cfb::CompoundFile;
use names::Names;
use properties::{Bag, Kind};
use std::{
    cell::RefCell,
    io::{Cursor, Read, Seek, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

/// How deep items may lie in each other.
const DEEPEST: usize = 16;
/// More recipients or attachments than this are not believed.
const MOST: usize = 50_000;
/// An OLE object above this is not put together.
const LARGEST_OBJECT: u64 = 64 << 20;

/// Whether a file that begins so is an OLE compound file, as every `.msg` is.
#[must_use]
pub fn is_compound(start: &[u8]) -> bool {
    start.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1])
}

/// The file, and the names of its named properties.
struct Shared<F> {
    file: RefCell<CompoundFile<F>>,
    names: Names,
}

impl<F: Read + Seek> Shared<F> {
    fn stream(&self, path: &Path) -> std::io::Result<cfb::Stream<F>> {
        self.file.borrow_mut().open_stream(path)
    }

    /// A stream, whole, if it is not above `limit`; `None` where there is none.
    fn read(&self, path: &Path, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
        if !self.file.borrow().is_stream(path) {
            return Ok(None);
        }
        let stream = self.stream(path)?;
        if stream.len() > limit {
            return Err(std::io::Error::other(format!("{} bytes are too many here", stream.len())));
        }
        let mut bytes = Vec::new();
        stream.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// The storages below a path whose names begin so, in the order of their names.
    fn storages(&self, path: &Path, start: &str) -> Vec<PathBuf> {
        let file = self.file.borrow();
        let Ok(entries) = file.read_storage(path) else { return Vec::new() };
        let mut found: Vec<PathBuf> = entries
            .filter(|entry| entry.is_storage() && entry.name().starts_with(start))
            .take(MOST)
            .map(|entry| entry.path().to_owned())
            .collect();
        found.sort();
        found
    }
}

/// An item of a `.msg` file.
pub struct MsgItem<F> {
    shared: Rc<Shared<F>>,
    bag: Bag,
    recipients: Vec<Properties>,
    attachments: Vec<PathBuf>,
    depth: usize,
}

/// Opens a `.msg` file.
///
/// # Errors
/// Where it is no compound file, or one of another program.
pub fn open<F: Read + Seek>(source: F) -> Result<MsgItem<F>, Error> {
    let file = CompoundFile::open(source).map_err(|error| {
        Error::Damaged(format!("This is not an Outlook message (.msg), or it is damaged: {error}."))
    })?;
    let shared = Shared { file: RefCell::new(file), names: Names::default() };
    if !shared.file.borrow().is_stream(Path::new("/").join(properties::STREAM)) {
        let what = "This is an OLE file, but not an Outlook message (.msg): it has no properties.";
        return Err(Error::Damaged(what.to_owned()));
    }
    let names = Names::read(|name| shared.read(&Path::new("/__nameid_version1.0").join(name), 16 << 20));
    item(Rc::new(Shared { names, ..shared }), Path::new("/"), 0)
}

fn item<F: Read + Seek>(shared: Rc<Shared<F>>, path: &Path, depth: usize) -> Result<MsgItem<F>, Error> {
    // The header before the properties is longer at the top (MS-OXMSG section 2.4.1).
    let kind = if depth == 0 { Kind::Top } else { Kind::Embedded };
    let bag = Bag::read(&shared, path, kind, None)?;
    let page = Some(bag.codepage());
    let recipients = shared
        .storages(path, "__recip_version1.0_")
        .iter()
        .filter_map(|path| Bag::read(&shared, path, Kind::Part, page).ok())
        .map(|bag| bag.properties)
        .collect();
    let attachments = shared.storages(path, "__attach_version1.0_");
    Ok(MsgItem { shared, bag, recipients, attachments, depth })
}

impl<F: Read + Seek> Object for MsgItem<F> {
    fn properties(&self) -> &Properties {
        &self.bag.properties
    }

    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        self.bag.open(&self.shared, key)
    }
}

impl<F: Read + Seek> Message for MsgItem<F> {
    fn recipients(&self) -> &[Properties] {
        &self.recipients
    }

    fn attachments(&self) -> usize {
        self.attachments.len()
    }

    fn attachment(&self, index: usize) -> Result<Box<dyn Attachment + '_>, Error> {
        let Some(path) = self.attachments.get(index) else {
            return Err(Error::Damaged("There is no such attachment.".to_owned()));
        };
        let bag = Bag::read(&self.shared, path, Kind::Part, Some(self.bag.codepage()))?;
        Ok(Box::new(MsgAttachment { shared: Rc::clone(&self.shared), bag, path: path.clone(), depth: self.depth }))
    }
}

/// An attachment of an item.
struct MsgAttachment<F> {
    shared: Rc<Shared<F>>,
    bag: Bag,
    path: PathBuf,
    depth: usize,
}

impl<F> MsgAttachment<F> {
    /// Where an item or an OLE object lies.
    fn object(&self) -> PathBuf {
        self.path.join("__substg1.0_3701000D")
    }
}

impl<F: Read + Seek> Object for MsgAttachment<F> {
    fn properties(&self) -> &Properties {
        &self.bag.properties
    }

    fn open(&self, key: &Key) -> Result<Option<Box<dyn Read + '_>>, Error> {
        if *key == Key::Tag(tags::ATTACH_DATA) && self.shared.file.borrow().is_storage(self.object()) {
            return Ok(Some(Box::new(Cursor::new(compound(&self.shared, &self.object())?))));
        }
        self.bag.open(&self.shared, key)
    }
}

impl<F: Read + Seek> Attachment for MsgAttachment<F> {
    fn embedded(&self) -> Result<Option<Box<dyn Message + '_>>, Error> {
        let path = self.object();
        let is_item = self.shared.file.borrow().is_stream(path.join(properties::STREAM));
        if !is_item {
            return Ok(None);
        }
        if self.depth + 1 >= DEEPEST {
            return Err(Error::Damaged("Items lie too deep in each other.".to_owned()));
        }
        Ok(Some(Box::new(item(Rc::clone(&self.shared), &path, self.depth + 1)?)))
    }
}

/// An OLE object as a compound file of its own.
fn compound<F: Read + Seek>(shared: &Shared<F>, root: &Path) -> Result<Vec<u8>, Error> {
    let entries: Vec<(PathBuf, bool, u64)> = {
        let file = shared.file.borrow();
        file.walk_storage(root)?.take(MOST).map(|e| (e.path().to_owned(), e.is_stream(), e.len())).collect()
    };
    if entries.iter().map(|(_, _, length)| length).sum::<u64>() > LARGEST_OBJECT {
        return Err(Error::Damaged("The OLE object is too large to be put together.".to_owned()));
    }
    let mut made = CompoundFile::create(Cursor::new(Vec::new()))?;
    for (path, is_stream, length) in entries {
        let Ok(below) = path.strip_prefix(root) else { continue };
        let target = Path::new("/").join(below);
        if is_stream {
            let mut bytes = Vec::new();
            shared.stream(&path)?.take(length).read_to_end(&mut bytes)?;
            made.create_stream(&target)?.write_all(&bytes)?;
        } else if below.components().next().is_some() {
            made.create_storage(&target)?;
        }
    }
    made.flush()?;
    // Nothing of the present time may stand in it.
    let times = std::time::SystemTime::UNIX_EPOCH;
    let storages: Vec<PathBuf> = made.walk().filter(cfb::Entry::is_storage).map(|e| e.path().to_owned()).collect();
    for path in storages {
        made.set_created_time(&path, times).and_then(|()| made.set_modified_time(&path, times))?;
    }
    made.flush()?;
    Ok(made.into_inner().into_inner())
}

#[cfg(test)]
mod tests;
