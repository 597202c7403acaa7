//! What is no mail in an export, as files that other programs read.

use super::meta::Meta;
use crate::ArchiveError;
use crate::containers::Body;
use mail_parser::{MessageParser, MimeHeaders as _, PartType};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// The largest appointment that is taken apart; a larger one is saved as it is.
const LARGEST: u64 = 32 << 20;

/// A contact as vCard 3.0 (RFC 2426).
pub(super) fn vcard(fields: &BTreeMap<String, String>, title: &str, out: &mut dyn Write) -> io::Result<()> {
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let given = [field("firstName"), field("middleName"), field("lastName")];
    let whole = given.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let shown = [field("fullName"), whole.as_str(), field("nickname"), field("company"), title, field("email")];
    let shown = shown.iter().find(|name| !name.is_empty()).copied().unwrap_or_default();
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:3.0".to_owned(),
        format!("FN:{}", escaped(shown)),
        format!(
            "N:{};{};{};{};{}",
            escaped(field("lastName")),
            escaped(field("firstName")),
            escaped(field("middleName")),
            escaped(field("namePrefix")),
            escaped(field("nameSuffix"))
        ),
    ];
    if !field("company").is_empty() || !field("department").is_empty() {
        lines.push(format!("ORG:{};{}", escaped(field("company")), escaped(field("department"))));
    }
    let address = |place: &str| {
        let part = |name: &str| escaped(field(&format!("{place}{name}")));
        let parts = ["Street", "City", "State", "PostalCode", "Country"].map(part);
        (parts.iter().any(|p| !p.is_empty())).then(|| format!(";;{}", parts.join(";")))
    };
    for (place, kind) in [("home", "HOME"), ("work", "WORK"), ("other", "OTHER")] {
        lines.extend(address(place).map(|text| format!("ADR;TYPE={kind}:{text}")));
    }
    for (name, value) in fields {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let property = match stem {
            "email" | "workEmail" | "homeEmail" => "EMAIL;TYPE=INTERNET",
            "mobilePhone" => "TEL;TYPE=CELL",
            "homePhone" => "TEL;TYPE=HOME",
            "workPhone" | "companyPhone" => "TEL;TYPE=WORK",
            "homeFax" | "workFax" | "otherFax" => "TEL;TYPE=FAX",
            "pager" => "TEL;TYPE=PAGER",
            "otherPhone" | "carPhone" | "callbackPhone" | "assistantPhone" => "TEL;TYPE=VOICE",
            "jobTitle" => "TITLE",
            "nickname" => "NICKNAME",
            "birthday" => "BDAY",
            "notes" => "NOTE",
            "homeURL" | "workURL" | "otherURL" => "URL",
            "dlist" => "X-ZIMBRA-MEMBERS",
            _ if is_used(stem) => continue,
            _ => {
                lines.push(format!("X-ZIMBRA-{}:{}", safe_name(name), escaped(value)));
                continue;
            }
        };
        lines.push(format!("{property}:{}", escaped(value)));
    }
    lines.push("END:VCARD".to_owned());
    for line in lines {
        fold(&line, out)?;
    }
    Ok(())
}

/// Fields that stand in another property already.
fn is_used(stem: &str) -> bool {
    const USED: [&str; 9] = [
        "firstName",
        "middleName",
        "lastName",
        "fullName",
        "namePrefix",
        "nameSuffix",
        "company",
        "department",
        "fileAs",
    ];
    let part = ["Street", "City", "State", "PostalCode", "Country"];
    USED.contains(&stem) || part.iter().any(|p| stem.ends_with(p))
}

fn safe_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(60).collect::<String>().to_uppercase()
}

/// RFC 2426 section 2.4.2.
fn escaped(value: &str) -> String {
    let value = value.replace("\r\n", "\n").replace('\\', "\\\\").replace('\n', "\\n");
    value.replace(',', "\\,").replace(';', "\\;").replace('\r', "")
}

/// Lines of at most 75 bytes (RFC 2426 section 2.6), parted between characters.
fn fold(line: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut width = 0;
    for c in line.chars() {
        if width + c.len_utf8() > 75 {
            out.write_all(b"\r\n ")?;
            width = 1;
        }
        out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
        width += c.len_utf8();
    }
    out.write_all(b"\r\n")
}

/// The iCalendar text of an appointment or a task. Zimbra keeps each version as a message inside a digest.
pub(super) fn calendar(body: &Body) -> Result<Option<Vec<u8>>, ArchiveError> {
    if body.len() > LARGEST {
        return Ok(None);
    }
    let bytes = body.head(usize::try_from(LARGEST).unwrap_or(usize::MAX))?;
    if bytes.get(..15).is_some_and(|start| start.eq_ignore_ascii_case(b"BEGIN:VCALENDAR")) {
        return Ok(Some(bytes));
    }
    let mut found = Vec::new();
    if let Some(message) = MessageParser::default().parse(&bytes) {
        collect(&message, &mut found, 0);
    }
    Ok((!found.is_empty()).then_some(found))
}

fn collect(message: &mail_parser::Message<'_>, found: &mut Vec<u8>, depth: usize) {
    for part in &message.parts {
        match &part.body {
            PartType::Message(inner) if depth < 5 => collect(inner, found, depth + 1),
            PartType::Text(text) if part.is_content_type("text", "calendar") => {
                found.extend_from_slice(text.as_bytes());
                if !text.ends_with('\n') {
                    found.extend_from_slice(b"\r\n");
                }
            }
            _ => {}
        }
    }
}

/// Whether content is a vCard.
pub(super) fn is_vcard(body: &Body) -> Result<bool, ArchiveError> {
    Ok(body.head(11)?.eq_ignore_ascii_case(b"BEGIN:VCARD"))
}

/// An item without content, for people.
pub(super) fn described(meta: &Meta) -> String {
    let name = meta.name.as_deref().or(meta.subject.as_deref()).unwrap_or_default();
    format!("{} {} \"{name}\": the export holds no content of it.", meta.class(), meta.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::containers::section::Section;

    #[test]
    fn a_contact_becomes_a_vcard_with_every_field() {
        let fields = [
            ("firstName", "José"),
            ("lastName", "da Silva; Filho"),
            ("email2", "j@x"),
            ("homeCity", "Belém"),
            ("custom 1", "a\nb"),
        ];
        let fields = fields.map(|(a, b)| (a.to_owned(), b.to_owned())).into_iter().collect();
        let mut out = Vec::new();
        vcard(&fields, "", &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:José da Silva\\; Filho\r\nN:da Silva\\; Filho;José;;;\r\n\
             ADR;TYPE=HOME:;;;Belém;;;\r\nX-ZIMBRA-CUSTOM1:a\\nb\r\nEMAIL;TYPE=INTERNET:j@x\r\nEND:VCARD\r\n"
        );
    }

    #[test]
    fn an_appointment_is_found_in_its_digest() {
        let digest = "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\nContent-Type: message/rfc822\r\n\r\n\
                      Content-Type: multipart/alternative; boundary=a\r\n\r\n--a\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
                      --a\r\nContent-Type: text/calendar; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                      QkVHSU46VkNBTEVOREFSDQpFTkQ6VkNBTEVOREFSDQo=\r\n--a--\r\n--d--\r\n";
        let found = calendar(&Body::Plain(Section::of_bytes(digest.as_bytes()))).unwrap().unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
        assert_eq!(calendar(&Body::Plain(Section::of_bytes(&b"rubbish"[..]))).unwrap(), None);
    }
}
