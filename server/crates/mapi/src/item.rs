//! Items that are no mail, each as the file that other programs take: vCard, iCalendar, text.

use crate::{Error, Key, Kind, LargeKind, Message, Notes, Value, ical, mime, tags, vcard};
use std::io::Write;

/// Writes an item as the file of its kind: see [`Kind::extension`]. The same item gives the same bytes at every call.
///
/// # Errors
/// Where `out` fails. What of the item cannot be read becomes a note.
pub fn write(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    match Kind::of(message.properties().text(tags::MESSAGE_CLASS).unwrap_or_default()) {
        Kind::Mail => mime::write(message, out),
        Kind::Contact | Kind::ContactList => vcard::write(message, out),
        Kind::Appointment | Kind::Task | Kind::Journal => ical::write(message, out),
        Kind::Note => note(message, out),
        Kind::Other => other(message, out),
    }
}

/// A note: its title and its text.
fn note(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    let p = message.properties();
    let mut notes = Notes::default();
    let body = mime::body_text(message, &mut notes).unwrap_or_default();
    let title = p.text(tags::SUBJECT).map(mime::strip_prefix_mark).unwrap_or_default().trim();
    let mut text = String::with_capacity(body.len() + title.len() + 64);
    // Outlook makes the title of a note from its first line.
    if !body.trim_start().starts_with(title) {
        text.push_str(title);
        text.push_str("\r\n\r\n");
    }
    text.push_str(body.trim_end());
    text.push_str("\r\n");
    out.write_all(&mime::lines(text.as_bytes()))?;
    Ok(notes)
}

/// Anything else: its properties, one a line.
fn other(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    let mut text = String::new();
    for (key, value) in message.properties().iter() {
        match key {
            Key::Tag(id) => text.push_str(&format!("0x{id:04X}")),
            Key::Lid(_, number) => text.push_str(&format!("named 0x{number:04X}")),
            Key::Name(_, name) => text.push_str(&format!("named {}", name.escape_debug())),
        }
        text.push_str(": ");
        shown(value, &mut text);
        text.push_str("\r\n");
    }
    out.write_all(text.as_bytes())?;
    let mut notes = Notes::default();
    if let Some(body) = mime::body_text(message, &mut notes) {
        out.write_all(b"\r\n")?;
        out.write_all(&mime::lines(body.as_bytes()))?;
    }
    Ok(notes)
}

fn shown(value: &Value, out: &mut String) {
    match value {
        Value::Int16(n) => out.push_str(&n.to_string()),
        Value::Int32(n) => out.push_str(&n.to_string()),
        Value::Int64(n) => out.push_str(&n.to_string()),
        Value::Float(n) | Value::AppTime(n) => out.push_str(&n.to_string()),
        Value::Bool(b) => out.push_str(&b.to_string()),
        Value::Time(ticks) => match crate::clock::Moment::from_filetime(*ticks) {
            Some(moment) => out.push_str(&moment.to_string()),
            None => out.push_str("no date"),
        },
        Value::Text(text) => out.push_str(&text.escape_debug().to_string()),
        Value::Bytes(bytes) => out.push_str(&format!("{} bytes", bytes.len())),
        Value::Guid(guid) => guid.0.iter().for_each(|b| out.push_str(&format!("{b:02x}"))),
        Value::Many(values) => {
            for (number, value) in values.iter().take(1_000).enumerate() {
                if number > 0 {
                    out.push_str(", ");
                }
                // Values of values do not occur.
                if !matches!(value, Value::Many(_)) {
                    shown(value, out);
                }
            }
        }
        Value::Large { bytes, kind } => {
            let what = if *kind == LargeKind::Binary { "bytes" } else { "bytes of text" };
            out.push_str(&format!("{bytes} {what}"));
        }
    }
}
