//! No file makes the reader of PSTs panic, hang or take memory that the file did not pay for: every folder, item,
//! attachment and embedded item is read to its end, and a second reading tells the same. The input is the file.
#![no_main]

use gatepost_mapi::{Key, Message, Object, Value};
use gatepost_pst::{Bytes, Pst, PstError};
use libfuzzer_sys::fuzz_target;
use std::io::Read;

struct Whole(Vec<u8>);

impl Bytes for Whole {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// What was met, for comparing; and how much may still be read, since a small file can refer to one block many times.
struct Walk {
    items: u64,
    bytes: u64,
    left: u64,
}

impl Walk {
    fn object(&mut self, object: &(impl Object + ?Sized)) {
        for (key, value) in object.properties().iter() {
            self.bytes += 1;
            if matches!(value, Value::Large { .. }) {
                self.stream(object, key);
            }
        }
    }

    fn stream(&mut self, object: &(impl Object + ?Sized), key: &Key) {
        let Ok(Some(mut stream)) = object.open(key) else { return };
        let mut buffer = [0; 4096];
        while self.left > 0 {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    self.bytes += count as u64;
                    self.left = self.left.saturating_sub(count as u64);
                }
            }
        }
    }

    fn message(&mut self, message: &dyn Message) {
        self.items += 1;
        self.left = self.left.saturating_sub(64);
        self.object(message);
        for recipient in message.recipients() {
            self.bytes += recipient.iter().count() as u64;
        }
        for number in 0..message.attachments() {
            if self.left == 0 {
                return;
            }
            self.left = self.left.saturating_sub(64);
            let Ok(attachment) = message.attachment(number) else { continue };
            self.object(attachment.as_ref());
            self.stream(attachment.as_ref(), &Key::Tag(0x3701));
            if let Ok(Some(inner)) = attachment.embedded() {
                self.message(inner.as_ref());
            }
        }
    }
}

fn walk(bytes: &[u8]) -> Result<(u64, u64, usize), PstError> {
    let pst = Pst::open(Whole(bytes.to_vec()))?;
    let mut walk = Walk { items: 0, bytes: 0, left: 1 << 20 };
    let folders = pst.folders()?;
    for folder in &folders {
        for item in pst.items(folder.nid)? {
            if walk.left == 0 {
                break;
            }
            walk.left = walk.left.saturating_sub(64);
            if let Ok(message) = pst.message(item.nid) {
                walk.message(&message);
            }
        }
    }
    assert!(pst.damage().iter().all(|sentence| !sentence.is_empty()));
    Ok((walk.items, walk.bytes, folders.len()))
}

fuzz_target!(|bytes: &[u8]| {
    match (walk(bytes), walk(bytes)) {
        (Ok(one), Ok(two)) => assert_eq!(one, two),
        (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
        (one, two) => panic!("{one:?}, then {two:?}"),
    }
});
