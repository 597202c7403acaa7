//! Contacts and lists of contacts as vCards (RFC 6350, version 4.0), from MS-OXOCNTC.

use crate::{
    Error, Key, Kind, Message, Notes, Properties, Value, clock::Moment, facts, ical, lines::Lines, mime, sets, tags,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::io::{Read, Write};

/// A photo above this is left out, and said.
const LARGEST_PHOTO: u64 = 4 << 20;

/// Telephone numbers: the property, and the vCard's type.
const PHONES: [(u16, &str); 17] = [
    (tags::BUSINESS_PHONE, "work,voice"),
    (tags::BUSINESS2_PHONE, "work,voice"),
    (tags::HOME_PHONE, "home,voice"),
    (tags::HOME2_PHONE, "home,voice"),
    (tags::MOBILE_PHONE, "cell"),
    (tags::PRIMARY_PHONE, "voice"),
    (tags::OTHER_PHONE, "voice"),
    (tags::CAR_PHONE, "voice"),
    (tags::RADIO_PHONE, "voice"),
    (tags::COMPANY_PHONE, "work,voice"),
    (tags::ASSISTANT_PHONE, "work,voice"),
    (tags::CALLBACK_PHONE, "voice"),
    (tags::PAGER, "pager"),
    (tags::BUSINESS_FAX, "work,fax"),
    (tags::HOME_FAX, "home,fax"),
    (tags::PRIMARY_FAX, "fax"),
    (tags::TTY_PHONE, "textphone"),
];

/// Writes a contact or a list of contacts.
///
/// # Errors
/// Where `out` fails. What of the item cannot be read becomes a note.
pub fn write(message: &dyn Message, out: &mut dyn Write) -> Result<Notes, Error> {
    let p = message.properties();
    let mut notes = Notes::default();
    let mut lines = Lines::default();
    lines.raw("BEGIN:VCARD");
    lines.raw("VERSION:4.0");
    let list = Kind::of(p.text(tags::MESSAGE_CLASS).unwrap_or_default()) == Kind::ContactList;
    if list {
        lines.raw("KIND:group");
    }
    lines.text("FN", &full_name(p));
    if list {
        members(p, &mut lines);
    } else {
        person(p, &mut lines);
    }
    lines.list("CATEGORIES", &facts::categories(p));
    if let Some(body) = mime::body_text(message, &mut notes) {
        lines.text("NOTE", body.trim_end());
    }
    if let Some(changed) = p.time(tags::LAST_MODIFICATION_TIME).and_then(Moment::from_filetime) {
        lines.raw(&format!("REV:{}Z", changed.basic()));
    }
    photo(message, &mut lines, &mut notes);
    ical::attachments(message, "X-ATTACH", &["ContactPicture.jpg"], &mut lines, &mut notes);
    lines.raw("END:VCARD");
    out.write_all(lines.text.as_bytes())?;
    Ok(notes)
}

/// The name that stands for the contact; a vCard must have one.
fn full_name(p: &Properties) -> String {
    let parts = [tags::NAME_PREFIX, tags::GIVEN_NAME, tags::MIDDLE_NAME, tags::SURNAME, tags::GENERATION];
    let joined = parts.iter().filter_map(|tag| p.text(*tag)).collect::<Vec<_>>().join(" ");
    let named = [tags::DISPLAY_NAME, tags::SUBJECT].into_iter().find_map(|tag| p.text(tag)).map(str::to_owned);
    named
        .or(Some(joined).filter(|name| !name.trim().is_empty()))
        .or_else(|| p.text(tags::COMPANY_NAME).map(str::to_owned))
        .or_else(|| emails(p).into_iter().next())
        .unwrap_or_else(|| "(no name)".to_owned())
}

fn person(p: &Properties, lines: &mut Lines) {
    let get = |tag: u16| p.text(tag).unwrap_or_default();
    let name = [tags::SURNAME, tags::GIVEN_NAME, tags::MIDDLE_NAME, tags::NAME_PREFIX, tags::GENERATION].map(get);
    lines.structured("N", &name);
    lines.text("NICKNAME", get(tags::NICKNAME));
    match get(tags::DEPARTMENT_NAME) {
        "" => lines.structured("ORG", &[get(tags::COMPANY_NAME)]),
        department => lines.structured("ORG", &[get(tags::COMPANY_NAME), department]),
    }
    lines.text("TITLE", get(tags::TITLE));
    lines.text("ROLE", get(tags::PROFESSION));
    for (number, email) in emails(p).iter().enumerate() {
        lines.text(if number == 0 { "EMAIL;PREF=1" } else { "EMAIL" }, email);
    }
    for (tag, kind) in PHONES {
        let kinds = kind.split(',').map(|k| format!(";TYPE={k}")).collect::<String>();
        lines.text(&format!("TEL{kinds}"), get(tag));
    }
    addresses(p, lines);
    for page in [tags::BUSINESS_PAGE, tags::PERSONAL_PAGE] {
        let url: String = get(page).chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
        if !url.is_empty() {
            lines.raw(&format!("URL;TYPE={}:{url}", if page == tags::BUSINESS_PAGE { "work" } else { "home" }));
        }
    }
    if let Some(Value::Text(messenger)) =
        p.get(&Key::Lid(sets::ADDRESS, 0x8062)).filter(|v| **v != Value::Text(String::new()))
    {
        let uri = if messenger.contains(':') { messenger.clone() } else { format!("im:{messenger}") };
        lines.raw(&format!("IMPP:{}", uri.chars().filter(|c| !c.is_control() && *c != ' ').collect::<String>()));
    }
    for (tag, name) in [(tags::BIRTHDAY, "BDAY"), (tags::ANNIVERSARY, "ANNIVERSARY")] {
        if let Some(day) = p.time(tag).and_then(Moment::from_filetime) {
            // Stored as a midnight of some zone: the nearest day is meant.
            lines.raw(&format!("{name}:{}", Moment { seconds: day.seconds + 43_200 }.basic_date()));
        }
    }
    for (tag, relation) in [(tags::SPOUSE, "spouse"), (tags::MANAGER, "x-manager"), (tags::ASSISTANT, "x-assistant")] {
        lines.text(&format!("RELATED;TYPE={relation};VALUE=text"), get(tag));
    }
    lines.text("X-OFFICE", get(tags::OFFICE_LOCATION));
    for number in 0..4 {
        if let Some(Value::Text(own)) = p.get(&Key::Lid(sets::ADDRESS, 0x804F + number)) {
            lines.text(&format!("X-USERFIELD{}", number + 1), own);
        }
    }
}

/// Postal addresses: of work, of home, another.
fn addresses(p: &Properties, lines: &mut Lines) {
    let get = |tag: u16| p.text(tag).unwrap_or_default();
    let named = |number: u32| match p.get(&Key::Lid(sets::ADDRESS, number)) {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    let work = [named(0x804A), "", named(0x8045), named(0x8046), named(0x8047), named(0x8048), named(0x8049)];
    // Older writers keep the address of work, or the only one, in the common properties.
    let common = [
        get(tags::POST_OFFICE_BOX),
        "",
        get(tags::STREET),
        get(tags::LOCALITY),
        get(tags::STATE),
        get(tags::POSTAL_CODE),
        get(tags::COUNTRY),
    ];
    let home = [
        get(tags::HOME_POST_OFFICE_BOX),
        "",
        get(tags::HOME_STREET),
        get(tags::HOME_LOCALITY),
        get(tags::HOME_STATE),
        get(tags::HOME_POSTAL_CODE),
        get(tags::HOME_COUNTRY),
    ];
    let other = [
        get(tags::OTHER_POST_OFFICE_BOX),
        "",
        get(tags::OTHER_STREET),
        get(tags::OTHER_LOCALITY),
        get(tags::OTHER_STATE),
        get(tags::OTHER_POSTAL_CODE),
        get(tags::OTHER_COUNTRY),
    ];
    // PidLidWorkAddress, whose parts may be the common ones.
    const WORK: u32 = 0x801B;
    let is_empty = |parts: &[&str]| parts.iter().all(|part| part.trim().is_empty());
    for (name, parts, whole) in [("ADR;TYPE=work", work, WORK), ("ADR;TYPE=home", home, 0x801A), ("ADR", other, 0x801C)]
    {
        if !is_empty(&parts) {
            lines.structured(name, &parts);
        } else if whole != WORK || is_empty(&common) {
            // Some writers keep the address as one text alone, which is then all there is of it.
            lines.structured(name, &["", "", named(whole), "", "", "", ""]);
        }
    }
    if common != work && common != home && common != other {
        lines.structured("ADR", &common);
    }
}

/// E-mail addresses 1 to 3 (PidLidEmail1EmailAddress and what goes with it).
fn emails(p: &Properties) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for base in [0x8080, 0x8090, 0x80A0] {
        // The address, the one as first typed, the display name, which may hold it.
        for number in [base + 3, base + 4, base] {
            if let Some(Value::Text(text)) = p.get(&Key::Lid(sets::ADDRESS, number))
                && let Some(address) = address_in(text)
            {
                if !found.contains(&address) {
                    found.push(address);
                }
                break;
            }
        }
    }
    for tag in [tags::SMTP_ADDRESS, tags::EMAIL_ADDRESS] {
        if found.is_empty()
            && let Some(address) = p.text(tag).and_then(mime::smtp)
        {
            found.push(address);
        }
    }
    found
}

fn address_in(text: &str) -> Option<String> {
    mime::smtp(text).or_else(|| {
        let inside = text.rsplit_once(['(', '<'])?.1.trim_end_matches([')', '>']);
        mime::smtp(inside)
    })
}

/// The members of a list (PidLidDistributionListMembers: entry ids, one-off or wrapped ones of contacts).
fn members(p: &Properties, lines: &mut Lines) {
    let list = |number: u32| match p.get(&Key::Lid(sets::ADDRESS, number)) {
        Some(Value::Many(values)) => values.as_slice(),
        _ => &[],
    };
    // The one-off members say names and addresses, in the same order.
    let (one_off, wrapped) = (list(0x8054), list(0x8055));
    let values = if one_off.is_empty() { wrapped } else { one_off };
    for value in values {
        let Value::Bytes(entry) = value else { continue };
        let Some(member) = mime::of_entry(entry) else { continue };
        match member.address {
            Some(address) => {
                let name =
                    if member.name.is_empty() { String::new() } else { format!(";X-CN={}", quoted(&member.name)) };
                lines.raw(&format!("MEMBER{name}:mailto:{address}"));
            }
            None => lines.text("X-MEMBER", &member.name),
        }
    }
}

fn quoted(name: &str) -> String {
    crate::lines::parameter(name)
}

fn photo(message: &dyn Message, lines: &mut Lines, notes: &mut Notes) {
    for index in 0..message.attachments() {
        let Ok(attachment) = message.attachment(index) else { continue };
        let p = attachment.properties();
        let name = p.text(tags::ATTACH_LONG_FILENAME).or_else(|| p.text(tags::ATTACH_FILENAME)).unwrap_or_default();
        if p.integer(tags::ATTACHMENT_CONTACT_PHOTO) != Some(1) && !name.eq_ignore_ascii_case("ContactPicture.jpg") {
            continue;
        }
        let mut data = Vec::new();
        match attachment.open(&Key::Tag(tags::ATTACH_DATA)) {
            Ok(Some(stream)) => {
                if let Err(error) = stream.take(LARGEST_PHOTO + 1).read_to_end(&mut data) {
                    return notes.add(format!("its photo cannot be read: {error}"));
                }
            }
            Ok(None) => return,
            Err(error) => return notes.add(format!("its photo cannot be read: {error}")),
        }
        if data.len() as u64 > LARGEST_PHOTO {
            return notes.add("its photo is too large for a vCard and is left out".to_owned());
        }
        let kind = match data.as_slice() {
            [0x89, b'P', ..] => "image/png",
            [b'G', b'I', b'F', ..] => "image/gif",
            _ => "image/jpeg",
        };
        return lines.raw(&format!("PHOTO:data:{kind};base64,{}", STANDARD.encode(data)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Item;

    #[test]
    fn an_address_that_is_kept_as_one_text_alone_is_not_lost() {
        let mut item = Item::new("IPM.Contact");
        let text = |text: &str| Value::Text(text.to_owned());
        item.named(Key::Lid(sets::ADDRESS, 0x801B), text("4 Darwinia Loop\r\nEIGHTY MILE BEACH; WA"));
        item.named(Key::Lid(sets::ADDRESS, 0x801A), text("all of it")).text(tags::HOME_STREET, "Rua A, 1");
        let mut out = Vec::new();
        write(&item, &mut out).unwrap();
        let card = String::from_utf8(out).unwrap();
        let addresses: Vec<&str> = card.lines().filter(|line| line.starts_with("ADR")).collect();
        let work = "ADR;TYPE=work:;;4 Darwinia Loop\\nEIGHTY MILE BEACH\\; WA;;;;";
        assert_eq!(addresses, [work, "ADR;TYPE=home:;;Rua A\\, 1;;;;"]);
    }
}
