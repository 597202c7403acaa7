//! What the tests over files share: finding the samples, and counting what a reader gives.

#![allow(dead_code, reason = "each test file uses its part")]

use gatepost_mapi::{Attachment, Key, Message, Object, Value, tags};
use gatepost_pst::{Bytes, Pst, PstError};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf},
};

/// The folder of sample files, or nothing (then the caller passes).
pub fn samples() -> Option<PathBuf> {
    gatepost_testkit::samples().map(|path| path.join("pst"))
}

/// A sample's bytes, unpacked.
pub fn sample(samples: &Path, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(samples.join(name)).expect("a sample");
    if !name.ends_with(".gz") {
        return bytes;
    }
    let mut all = Vec::new();
    flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut all).expect("a whole gzip file");
    all
}

/// What was found in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// By folder with items: how many, and by class.
    pub folders: BTreeMap<String, (Option<u64>, BTreeMap<String, usize>)>,
    pub attachments: usize,
    pub embedded: usize,
    pub headers: usize,
    pub text: usize,
    pub html: usize,
    pub rtf: usize,
    pub read: usize,
    pub flagged: usize,
    pub attached_bytes: u64,
    pub items: usize,
    pub salvaged: usize,
    pub unreadable: usize,
    pub notes: usize,
    /// The nodes of items that can be read, each once.
    pub readable: BTreeSet<u32>,
    /// Those of them that lie in several folders, as often as they do beyond the first.
    pub again: usize,
}

/// Reads everything in the mail tree, every stream to its end.
pub fn count(pst: &Pst) -> Result<Count, PstError> {
    let mut count = Count::default();
    for folder in pst.folders()?.into_iter().filter(|folder| !folder.outside) {
        let path = format!("/{}", folder.path.join("/"));
        for item in pst.items(folder.nid)? {
            count.items += 1;
            count.salvaged += usize::from(item.salvaged);
            let class = match pst.message(item.nid) {
                Ok(message) => {
                    count.again += usize::from(!count.readable.insert(item.nid));
                    tally(&message, &mut count);
                    count.notes += usize::from(!message.notes().is_empty());
                    message.properties().text(tags::MESSAGE_CLASS).unwrap_or("?").to_owned()
                }
                Err(_) => {
                    count.unreadable += 1;
                    "unreadable".to_owned()
                }
            };
            let entry = count.folders.entry(path.clone()).or_insert((folder.declared, BTreeMap::new()));
            *entry.1.entry(class).or_default() += 1;
        }
    }
    Ok(count)
}

fn tally(message: &dyn Message, count: &mut Count) {
    let properties = message.properties();
    count.headers += usize::from(readable(message, tags::TRANSPORT_HEADERS));
    count.text += usize::from(readable(message, tags::BODY));
    count.html += usize::from(readable(message, tags::HTML));
    count.rtf += usize::from(readable(message, tags::RTF));
    count.read += usize::from(properties.integer(tags::MESSAGE_FLAGS).is_some_and(|flags| flags & 1 != 0));
    count.flagged += usize::from(properties.integer(tags::FLAG_STATUS) == Some(2));
    for index in 0..message.attachments() {
        count.attachments += 1;
        let Ok(attachment) = message.attachment(index) else { continue };
        match attachment.embedded() {
            Ok(Some(inner)) => {
                count.embedded += 1;
                tally(&*inner, count);
            }
            Ok(None) => count.attached_bytes += drain(&*attachment, tags::ATTACH_DATA),
            Err(_) => {}
        }
    }
}

/// Whether it has the property and its bytes can be read to their end.
fn readable(object: &dyn Message, id: u16) -> bool {
    match object.properties().tag(id) {
        Some(Value::Large { bytes, .. }) => match object.open(&Key::Tag(id)) {
            Ok(Some(mut stream)) => std::io::copy(&mut stream, &mut std::io::sink()).is_ok_and(|all| all == *bytes),
            _ => false,
        },
        Some(_) => true,
        None => false,
    }
}

fn drain(object: &dyn Attachment, id: u16) -> u64 {
    match object.open(&Key::Tag(id)) {
        Ok(Some(mut stream)) => std::io::copy(&mut stream, &mut std::io::sink()).unwrap_or(0),
        _ => 0,
    }
}

/// Opens and counts.
pub fn count_bytes(bytes: impl Bytes + 'static) -> Result<Count, PstError> {
    count(&Pst::open(bytes)?)
}
