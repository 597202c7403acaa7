//! Items that are no mail.

use super::item::Item;
use super::value::{Name, Value, sets};

impl Item {
    /// Somebody in an address book.
    #[must_use]
    pub fn contact(name: &str, address: &str) -> Self {
        let lid = |number| Name::Lid(sets::ADDRESS, number);
        Self::of_class("IPM.Contact")
            .subject(name)
            .tag(0x3001, name.into())
            .tag(0x0E07, Value::Int32(1))
            .set(lid(0x8005), name.into())
            .set(lid(0x8080), name.into())
            .set(lid(0x8082), "SMTP".into())
            .set(lid(0x8083), address.into())
            .set(lid(0x8084), address.into())
    }

    /// An appointment: from and until when, in seconds since 1970, and where.
    #[must_use]
    pub fn appointment(subject: &str, from: i64, until: i64, place: &str) -> Self {
        let lid = |number| Name::Lid(sets::APPOINTMENT, number);
        Self::of_class("IPM.Appointment")
            .subject(subject)
            .tag(0x0E07, Value::Int32(1))
            .tag(0x0060, Value::Time(from))
            .tag(0x0061, Value::Time(until))
            .set(lid(0x820D), Value::Time(from))
            .set(lid(0x820E), Value::Time(until))
            .set(lid(0x8208), place.into())
            .set(lid(0x8205), Value::Int32(2))
            .set(lid(0x8215), Value::Bool(false))
            .set(lid(0x8223), Value::Bool(false))
            .set(Name::Lid(sets::MEETING, 0x0003), Value::Binary(global_id(subject)))
    }

    /// An invitation to one, as mail.
    #[must_use]
    pub fn meeting_request(subject: &str, from: i64, until: i64, place: &str) -> Self {
        Self::appointment(subject, from, until, place).tag(0x001A, "IPM.Schedule.Meeting.Request".into())
    }

    /// Something to be done until a day.
    #[must_use]
    pub fn task(subject: &str, due: i64) -> Self {
        let lid = |number| Name::Lid(sets::TASK, number);
        Self::of_class("IPM.Task")
            .subject(subject)
            .tag(0x0E07, Value::Int32(1))
            .set(lid(0x8101), Value::Int32(1))
            .set(lid(0x8102), Value::Float64(0.5))
            .set(lid(0x8105), Value::Time(due))
            .set(lid(0x811C), Value::Bool(false))
    }

    /// A yellow note.
    #[must_use]
    pub fn note(text: &str) -> Self {
        let subject: String = text.chars().take(40).collect();
        Self::of_class("IPM.StickyNote")
            .subject(&subject)
            .tag(0x0E07, Value::Int32(1))
            .text(text)
            .set(Name::Lid(sets::NOTE, 0x8B00), Value::Int32(3))
    }

    /// A call or a visit in the journal.
    #[must_use]
    pub fn activity(subject: &str, from: i64, until: i64) -> Self {
        let lid = |number| Name::Lid(sets::LOG, number);
        Self::of_class("IPM.Activity")
            .subject(subject)
            .tag(0x0E07, Value::Int32(1))
            .set(lid(0x8700), "Phone call".into())
            .set(lid(0x8706), Value::Time(from))
            .set(lid(0x8708), Value::Time(until))
    }

    /// A list of contacts that are stored by value.
    #[must_use]
    pub fn distribution_list(name: &str, members: &[(&str, &str)]) -> Self {
        let lid = |number| Name::Lid(sets::ADDRESS, number);
        let entries = members.iter().map(|(name, address)| one_off(name, address)).collect::<Vec<_>>();
        Self::of_class("IPM.DistList")
            .subject(name)
            .tag(0x3001, name.into())
            .tag(0x0E07, Value::Int32(1))
            .set(lid(0x8053), name.into())
            .set(lid(0x8054), Value::Binaries(entries.clone()))
            .set(lid(0x8055), Value::Binaries(entries))
    }
}

/// PidLidGlobalObjectId: of an appointment made by Outlook itself (MS-OXOCAL 2.2.1.27).
fn global_id(seed: &str) -> Vec<u8> {
    let mut id = vec![0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08];
    id.extend_from_slice(&[0; 20]);
    id.extend_from_slice(&16_u32.to_le_bytes());
    id.extend_from_slice(&blake3::hash(seed.as_bytes()).as_bytes()[..16]);
    id
}

/// A one-off entry id: a name and an address without an address book (MS-OXCDATA 2.2.5.1).
fn one_off(name: &str, address: &str) -> Vec<u8> {
    let mut id = vec![0; 4];
    id.extend_from_slice(&[
        0x81, 0x2B, 0x1F, 0xA4, 0xBE, 0xA3, 0x10, 0x19, 0x9D, 0x6E, 0x00, 0xDD, 0x01, 0x0F, 0x54, 0x02,
    ]);
    // Version 0; the texts are Unicode.
    id.extend_from_slice(&[0, 0, 0x01, 0x90]);
    for text in [name, "SMTP", address] {
        id.extend(text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
    }
    id
}
