//! Who called a meeting and who is asked to it.

use crate::{Message, lines::Lines, lines::parameter, mime, tags};

/// The organizer.
pub(super) fn organizer(message: &dyn Message, lines: &mut Lines) {
    let flagged = message.recipients().iter().find(|row| row.integer(tags::RECIPIENT_FLAGS).unwrap_or(0) & 2 != 0);
    let Some(mailbox) = flagged.map(mime::recipient).or_else(|| mime::author(message)) else { return };
    person("ORGANIZER", &mailbox, lines);
}

/// Those who are asked, with what they answered.
pub(super) fn attendees(message: &dyn Message, lines: &mut Lines) {
    for row in message.recipients() {
        if row.integer(tags::RECIPIENT_FLAGS).unwrap_or(0) & 2 != 0 {
            continue;
        }
        let role = match mime::recipient_kind(row) {
            2 => ";ROLE=OPT-PARTICIPANT",
            3 => ";CUTYPE=RESOURCE;ROLE=NON-PARTICIPANT",
            _ => ";ROLE=REQ-PARTICIPANT",
        };
        let answer = match row.integer(tags::RECIPIENT_TRACK_STATUS) {
            Some(2) => "TENTATIVE",
            Some(3) => "ACCEPTED",
            Some(4) => "DECLINED",
            _ => "NEEDS-ACTION",
        };
        person(&format!("ATTENDEE{role};PARTSTAT={answer}"), &mime::recipient(row), lines);
    }
}

/// The one who answers.
pub(super) fn answering(message: &dyn Message, answer: &str, lines: &mut Lines) {
    if let Some(mailbox) = mime::author(message) {
        person(&format!("ATTENDEE;PARTSTAT={answer}"), &mailbox, lines);
    }
}

/// Whom an answer goes to: the one who called the meeting.
pub(super) fn addressed(message: &dyn Message, lines: &mut Lines) {
    if let Some(row) = message.recipients().first() {
        person("ORGANIZER", &mime::recipient(row), lines);
    }
}

fn person(property: &str, mailbox: &mime::Mailbox, lines: &mut Lines) {
    let name = mailbox.name.trim();
    let name = if name.is_empty() { String::new() } else { format!(";CN={}", parameter(name)) };
    let address = mailbox.address.as_deref().unwrap_or("unknown@invalid");
    lines.raw(&format!("{property}{name}:mailto:{address}"));
}
