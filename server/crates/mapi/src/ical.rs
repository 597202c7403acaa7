//! Appointments, meetings, tasks and journal entries as iCalendar (RFC 5545), from MS-OXOCAL, MS-OXOTASK and MS-OXOJRNL.

mod attach;
mod event;
mod people;
mod recurrence;
mod rule;
mod todo;
mod zone;

use crate::{
    Error, Key, Kind, Message, Notes, Properties, Value, class, clock::Moment, facts, lines::Lines, mime, sets, tags,
};
use std::io::Write;

pub use recurrence::{Ends, Exception, Pattern, Recurrence, read as read_recurrence};

/// Writes an appointment, a task or a journal entry.
///
/// # Errors
/// Where `out` fails. What of the item cannot be read becomes a note.
pub fn write(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    let mut notes = Notes::default();
    let mut lines = begin(None);
    match Kind::of(message.properties().text(tags::MESSAGE_CLASS).unwrap_or_default()) {
        Kind::Task => todo::task(message, &mut lines, &mut notes),
        Kind::Journal => todo::journal(message, &mut lines, &mut notes),
        _ => event::write(message, &event::Purpose::Own, &mut lines, &mut notes),
    }
    lines.raw("END:VCALENDAR");
    out.write_all(lines.text.as_bytes())?;
    Ok(notes)
}

/// What a meeting's message asks for or answers (RFC 5546): the method and the calendar; `None` where the item does not
/// say when the meeting is.
pub(crate) fn meeting(message: &dyn Message, class: &str) -> Option<(&'static str, Vec<u8>)> {
    let (method, answer) = if class::is(class, "IPM.Schedule.Meeting.Canceled") {
        ("CANCEL", None)
    } else if class::is(class, "IPM.Schedule.Meeting.Resp.Pos") {
        ("REPLY", Some("ACCEPTED"))
    } else if class::is(class, "IPM.Schedule.Meeting.Resp.Neg") {
        ("REPLY", Some("DECLINED"))
    } else if class::is(class, "IPM.Schedule.Meeting.Resp.Tent") {
        ("REPLY", Some("TENTATIVE"))
    } else if class::is(class, "IPM.Schedule.Meeting.Request") {
        ("REQUEST", None)
    } else {
        return None;
    };
    event::start(message.properties())?;
    let mut lines = begin(Some(method));
    // What cannot be read of it is said by the message's own parts.
    event::write(message, &event::Purpose::Meeting { method, answer }, &mut lines, &mut Notes::default());
    lines.raw("END:VCALENDAR");
    Some((method, lines.text.into_bytes()))
}

fn begin(method: Option<&str>) -> Lines {
    let mut lines = Lines::default();
    lines.raw("BEGIN:VCALENDAR");
    lines.raw("PRODID:-//Gatepost//MAPI//EN");
    lines.raw("VERSION:2.0");
    if let Some(method) = method {
        lines.raw(&format!("METHOD:{method}"));
    }
    lines
}

/// When a person's own entry came into being and was last changed. What travels in a message says nothing of the copy that
/// lies in this store.
fn history(p: &Properties, lines: &mut Lines) {
    for (name, tag) in [("CREATED", tags::CREATION_TIME), ("LAST-MODIFIED", tags::LAST_MODIFICATION_TIME)] {
        if let Some(moment) = p.time(tag).and_then(Moment::from_filetime) {
            lines.raw(&format!("{name}:{}Z", moment.basic()));
        }
    }
}

/// What all components say alike: a stable id, a stamp, text, class, priority, categories.
fn common(message: &dyn Message, lines: &mut Lines, notes: &mut Notes) {
    let p = message.properties();
    lines.text("SUMMARY", p.text(tags::SUBJECT).map(mime::strip_prefix_mark).unwrap_or_default());
    if let Some(body) = mime::body_text(message, notes) {
        lines.text("DESCRIPTION", body.trim_end());
    }
    match p.integer(tags::SENSITIVITY) {
        Some(2) => lines.raw("CLASS:PRIVATE"),
        Some(3) => lines.raw("CLASS:CONFIDENTIAL"),
        _ => {}
    }
    match p.integer(tags::IMPORTANCE) {
        Some(0) => lines.raw("PRIORITY:9"),
        Some(2) => lines.raw("PRIORITY:1"),
        _ => {}
    }
    lines.list("CATEGORIES", &facts::categories(p));
}

/// When the item was last changed, or came into being: never the present time.
fn stamp(p: &Properties) -> Moment {
    [tags::LAST_MODIFICATION_TIME, tags::DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME, tags::CREATION_TIME]
        .into_iter()
        .find_map(|tag| p.time(tag).and_then(Moment::from_filetime))
        .or_else(|| event::start(p))
        .unwrap_or(Moment { seconds: 0 })
}

/// The id by which calendars know the item: the meeting's own where it has one (MS-OXCICAL section 2.1.3.1.1.20.26).
fn uid(p: &Properties) -> String {
    for number in [0x23, 0x03] {
        let Some(Value::Bytes(id)) = p.get(&Key::Lid(sets::MEETING, number)) else { continue };
        if let Some(foreign) = id.get(40..52).filter(|mark| mark.starts_with(b"vCal-Uid")).and(id.get(52..)) {
            let text: String = foreign.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect();
            if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
                return text;
            }
        }
        if !id.is_empty() {
            return id.iter().map(|b| format!("{b:02X}")).collect();
        }
    }
    if let Some(key) = p.bytes(SEARCH_KEY).filter(|key| !key.is_empty()) {
        return key.iter().map(|b| format!("{b:02X}")).collect();
    }
    let seconds = event::start(p).unwrap_or(stamp(p)).seconds;
    let letters = p.text(tags::SUBJECT).unwrap_or_default().bytes();
    let hash = letters.fold(0xCBF2_9CE4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    format!("{seconds}-{hash:016x}@gatepost.invalid")
}

/// PidTagSearchKey: the same in all copies of an item.
const SEARCH_KEY: u16 = 0x300B;

/// A named time.
fn time(p: &Properties, set: crate::Guid, number: u32) -> Option<Moment> {
    match p.get(&Key::Lid(set, number)) {
        Some(Value::Time(ticks)) => Moment::from_filetime(*ticks),
        _ => None,
    }
}

/// A named integer or truth value.
fn integer(p: &Properties, set: crate::Guid, number: u32) -> Option<i64> {
    match p.get(&Key::Lid(set, number))? {
        Value::Int16(n) => Some(i64::from(*n)),
        Value::Int32(n) => Some(i64::from(*n)),
        Value::Bool(b) => Some(i64::from(*b)),
        _ => None,
    }
}

/// A named text.
fn text(p: &Properties, set: crate::Guid, number: u32) -> &str {
    match p.get(&Key::Lid(set, number)) {
        Some(Value::Text(text)) => text,
        _ => "",
    }
}

pub(crate) use attach::write as attachments;

/// A reminder, so many minutes before.
fn alarm(p: &Properties, lines: &mut Lines) {
    if integer(p, sets::COMMON, 0x8503) == Some(1) {
        let minutes = integer(p, sets::COMMON, 0x8501).filter(|n| (0..525_600).contains(n)).unwrap_or(15);
        lines.raw("BEGIN:VALARM");
        lines.raw("ACTION:DISPLAY");
        lines.raw("DESCRIPTION:Reminder");
        lines.raw(&format!("TRIGGER:-PT{minutes}M"));
        lines.raw("END:VALARM");
    }
}
