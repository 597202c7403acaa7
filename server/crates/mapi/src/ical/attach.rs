//! Attachments of items that are no mail, within their file (RFC 5545 section 3.8.1.1).

use crate::{Key, Message, Notes, lines::Lines, lines::parameter, mime, tags};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::Read;

/// An attachment above this is left out, and said.
const LARGEST: usize = 8 << 20;
/// And one that would make all of them more than this.
const LARGEST_SUM: usize = 24 << 20;
/// Bytes that are read to find out, and attachments that are looked at.
const MOST_READ: usize = 128 << 20;
const MOST: usize = 5_000;

/// Writes the attachments under a property's name, but those that Outlook hides and those named in `without`.
pub(crate) fn write(message: &dyn Message, property: &str, without: &[&str], lines: &mut Lines, notes: &mut Notes) {
    let (mut sum, mut read_so_far) = (0, 0);
    let count = message.attachments();
    for index in 0..count {
        if index >= MOST || read_so_far > MOST_READ {
            notes.add(format!("its last {} attachments are too many or too large and are left out", count - index));
            break;
        }
        let attachment = match message.attachment(index) {
            Ok(attachment) => attachment,
            Err(error) => {
                notes.add(format!("its attachment {} cannot be read: {error}", index + 1));
                continue;
            }
        };
        let p = attachment.properties();
        let embedded = p.integer(tags::ATTACH_METHOD) == Some(5);
        let name = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_FILENAME, tags::DISPLAY_NAME]
            .into_iter()
            .find_map(|tag| p.text(tag))
            .unwrap_or("attachment");
        // Changed instances of a recurrence are hidden items; what they say is in the recurrence.
        let hidden = p.integer(tags::ATTACHMENT_HIDDEN) == Some(1) || (embedded && name == "Untitled");
        if hidden || without.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            continue;
        }
        let mut data = Vec::new();
        let read = if embedded {
            match attachment.embedded() {
                Ok(Some(inner)) => mime::write(&*inner, &mut Bounded(&mut data)).map(drop).map_err(|e| e.to_string()),
                Ok(None) => Err("it is not there".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        } else {
            match attachment.open(&Key::Tag(tags::ATTACH_DATA)) {
                Ok(Some(stream)) => {
                    stream.take(LARGEST as u64 + 1).read_to_end(&mut data).map(drop).map_err(|e| e.to_string())
                }
                Ok(None) => continue,
                Err(error) => Err(error.to_string()),
            }
        };
        read_so_far += data.len();
        if let Err(why) = read {
            notes.add(format!("its attachment {name} cannot be read: {why}"));
        } else if data.len() > LARGEST || sum + data.len() > LARGEST_SUM {
            notes.add(format!("its attachment {name} is too large and is left out"));
        } else {
            sum += data.len();
            let kind = if embedded { "message/rfc822" } else { mime::guess(name) };
            lines.raw(&format!(
                "{property};VALUE=BINARY;ENCODING=BASE64;FMTTYPE={kind};X-FILENAME={}:{}",
                parameter(name),
                STANDARD.encode(&data)
            ));
        }
    }
}

/// Takes no more than an attachment may have.
struct Bounded<'a>(&'a mut Vec<u8>);

impl std::io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > LARGEST {
            return Err(std::io::Error::other("it is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
