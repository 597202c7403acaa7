//! What Zimbra says of an item: the JSON of a `.meta` entry, and the metadata in it (a bencoding of text).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{Flags, FolderPath};
use serde::Deserialize;
use std::collections::BTreeMap;

use crate::containers::names::Names;
use crate::formats::flags::keyword_into;

/// The largest `.meta` that is read.
pub(super) const LARGEST: u64 = 4 << 20;

/// What kind of item it is (`MailItem.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A folder, a search, a link to somebody else's folder.
    Folder,
    /// A tag, a conversation, a flag: nothing of its own.
    Nothing,
    /// A message, or a chat that is kept as one.
    Message,
    /// A contact, or a group of them.
    Contact,
    /// An appointment.
    Appointment,
    /// A task.
    Task,
    /// A file of the briefcase, a note, a wiki page.
    Document,
}

/// An item.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Meta {
    /// Its number in the mailbox.
    #[serde(default)]
    pub id: i64,
    #[serde(rename = "type", default)]
    kind: i64,
    /// Where it lies: `/Inbox/`, and for a folder its own path.
    #[serde(rename = "Path", default)]
    path: String,
    /// The number of the folder it lies in.
    #[serde(default)]
    folder_id: i64,
    /// When it was received: seconds since 1970.
    #[serde(default)]
    pub date: i64,
    #[serde(rename = "FlagStr", default)]
    flags: String,
    /// Its tags' names, parted by colons.
    #[serde(rename = "TagNames", default)]
    tags: String,
    /// How many bytes its content has.
    #[serde(default)]
    pub size: i64,
    #[serde(default)]
    blob_digest: Option<String>,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
    /// Its subject.
    #[serde(default)]
    pub subject: Option<String>,
    /// Who it is from; of a contact, its name.
    #[serde(default)]
    pub sender: Option<String>,
    #[serde(default)]
    metadata: Option<String>,
}

impl Meta {
    /// Reads a `.meta` entry; `None` where it is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let meta: Self = serde_json::from_slice(bytes).ok()?;
        (meta.kind > 0).then_some(meta)
    }

    /// What kind of item it is.
    pub(super) fn kind(&self) -> Kind {
        match self.kind {
            1 | 2 | 13 => Kind::Folder,
            5 | 16 => Kind::Message,
            6 => Kind::Contact,
            11 => Kind::Appointment,
            15 => Kind::Task,
            8 | 9 | 14 => Kind::Document,
            _ => Kind::Nothing,
        }
    }

    /// What it is called in a list of classes.
    pub(super) fn class(&self) -> String {
        match self.kind {
            5 => "message".to_owned(),
            6 => "contact".to_owned(),
            8 => "document".to_owned(),
            9 => "note".to_owned(),
            11 => "appointment".to_owned(),
            14 => "wiki".to_owned(),
            15 => "task".to_owned(),
            16 => "chat".to_owned(),
            n => format!("type {n}"),
        }
    }

    /// The folder that it lies in, or that it is.
    pub(super) fn folder(&self) -> FolderPath {
        let mut names = Names::default();
        let parts = self.path.split('/').filter(|level| !matches!(*level, "" | "." | "..")).take(100);
        let levels: Vec<String> = parts.map(|level| names.level(level.as_bytes())).collect();
        match levels.as_slice() {
            [] => FolderPath::inbox(),
            [one] if one.eq_ignore_ascii_case("inbox") => FolderPath::inbox(),
            levels => FolderPath::new(levels),
        }
    }

    /// What that folder is for: Zimbra's own have numbers that never change.
    pub(super) fn special_use(&self) -> Option<SpecialUse> {
        let number = if self.kind() == Kind::Folder { self.id } else { self.folder_id };
        match number {
            2 => Some(SpecialUse::Inbox),
            3 => Some(SpecialUse::Trash),
            4 => Some(SpecialUse::Junk),
            5 => Some(SpecialUse::Sent),
            6 => Some(SpecialUse::Drafts),
            _ => None,
        }
    }

    /// Whether this is a folder for mail of a person, not one of contacts and the like, nor one that Zimbra keeps for
    /// itself. Its view (`vt` of the metadata) is a type of items; none means mail.
    pub(super) fn is_mail_folder(&self) -> bool {
        let own = [1, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17];
        let view = self.metadata().and_then(|value| match value.get("vt") {
            Some(Coded::Number(n)) => Some(*n),
            _ => None,
        });
        self.kind == 1 && !own.contains(&self.id) && matches!(view, None | Some(0 | 4 | 5 | 16))
    }

    /// Flags and tags. Unread is a flag there, and the others have a letter each.
    pub(super) fn flags(&self) -> Flags {
        let mut flags = Flags::default();
        if !self.flags.contains('u') {
            flags.insert("\\Seen");
        }
        for (letter, flag) in [
            ('f', "\\Flagged"),
            ('r', "\\Answered"),
            ('w', "$Forwarded"),
            ('d', "\\Draft"),
            ('x', "\\Deleted"),
            ('n', "$MDNSent"),
        ] {
            if self.flags.contains(letter) {
                flags.insert(flag);
            }
        }
        for tag in tags(&self.tags) {
            keyword_into(&mut flags, &tag);
        }
        flags
    }

    /// The SHA-256 of the content, where one is kept; older servers kept other sums.
    pub(super) fn sha256(&self) -> Option<[u8; 32]> {
        let digest = self.blob_digest.as_deref()?.replace(',', "/");
        STANDARD.decode(digest).ok()?.try_into().ok()
    }

    /// A contact's fields.
    pub(super) fn fields(&self) -> BTreeMap<String, String> {
        let Some(mut metadata) = self.metadata() else { return BTreeMap::new() };
        let Some(Coded::Map(fields)) = metadata.remove("fld") else { return BTreeMap::new() };
        let text = |value| match value {
            Coded::Text(text) => Some(text),
            Coded::Number(n) => Some(n.to_string()),
            _ => None,
        };
        fields.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect()
    }

    fn metadata(&self) -> Option<BTreeMap<String, Coded>> {
        match Coded::read(&mut self.metadata.as_deref()?.chars(), 0)? {
            Coded::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// Names parted by colons; a colon or backslash in a name is escaped by a backslash.
fn tags(text: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = names.last_mut().expect("there is always a name");
        match c {
            '\\' => last.extend(chars.next()),
            ':' => names.push(String::new()),
            c => last.push(c),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Zimbra's bencoding: `d3:agei7ee`. Lengths count UTF-16 units, as Java does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Coded {
    Number(i64),
    Text(String),
    List(Vec<Coded>),
    Map(BTreeMap<String, Coded>),
}

impl Coded {
    fn read(chars: &mut std::str::Chars<'_>, depth: usize) -> Option<Self> {
        if depth > 20 {
            return None;
        }
        let ended = |chars: &mut std::str::Chars<'_>| {
            let end = chars.as_str().starts_with('e');
            if end {
                chars.next();
            }
            end
        };
        match chars.as_str().chars().next()? {
            'i' => {
                chars.next();
                let text = chars.as_str();
                let end = text.find('e').filter(|end| *end <= 20)?;
                let number = text[..end].parse().ok()?;
                *chars = text[end + 1..].chars();
                Some(Self::Number(number))
            }
            'd' => {
                chars.next();
                let mut map = BTreeMap::new();
                while !ended(chars) {
                    let name = read_text(chars)?;
                    map.insert(name, Self::read(chars, depth + 1)?);
                }
                Some(Self::Map(map))
            }
            'l' => {
                chars.next();
                let mut list = Vec::new();
                while !ended(chars) {
                    list.push(Self::read(chars, depth + 1)?);
                }
                Some(Self::List(list))
            }
            _ => read_text(chars).map(Self::Text),
        }
    }
}

fn read_text(chars: &mut std::str::Chars<'_>) -> Option<String> {
    let text = chars.as_str();
    let colon = text.find(':').filter(|colon| *colon <= 10)?;
    let mut left: usize = text[..colon].parse().ok()?;
    *chars = text[colon + 1..].chars();
    let mut value = String::new();
    while left > 0 {
        let c = chars.next()?;
        left = left.checked_sub(c.len_utf16())?;
        value.push(c);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(json: &str) -> Meta {
        Meta::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn flags_tags_and_folders_are_read() {
        let item = meta(
            r#"{"type":5,"Path":"/Inbox/Clientes/","folder_id":300,"FlagStr":"ufrwx","TagNames":"Urgente:a\\:b:Não","date":7}"#,
        );
        assert_eq!(item.flags(), Flags::from("$Forwarded N_o Urgente \\Answered \\Deleted \\Flagged a:b"));
        assert_eq!((item.folder().to_string().as_str(), item.special_use()), ("Inbox/Clientes", None));
        let sent = meta(r#"{"type":5,"Path":"/Sent/","folder_id":5,"FlagStr":"s"}"#);
        assert_eq!((sent.flags(), sent.special_use()), (Flags::from("\\Seen"), Some(SpecialUse::Sent)));
        assert_eq!(meta(r#"{"type":5,"Path":"/Inbox/"}"#).folder(), FolderPath::inbox());
    }

    #[test]
    fn folders_of_mail_are_told_from_others() {
        for (json, mail) in [
            (r#"{"type":1,"id":2,"metadata":"d2:vti5ee"}"#, true),
            (r#"{"type":1,"id":400,"metadata":"d2:vti6ee"}"#, false),
            (r#"{"type":1,"id":400,"metadata":"d1:ai1ee"}"#, true),
            (r#"{"type":1,"id":400}"#, true),
            (r#"{"type":1,"id":14,"metadata":"d2:vti5ee"}"#, false),
            (r#"{"type":2,"id":400}"#, false),
        ] {
            assert_eq!(meta(json).is_mail_folder(), mail, "{json}");
        }
    }

    #[test]
    fn contacts_have_fields_and_rubbish_has_none() {
        let contact = meta(r#"{"type":6,"metadata":"d3:fldd5:email5:a@b.c9:firstName4:José4:nicki7ee1:vi10ee"}"#);
        let fields: Vec<_> = contact.fields().into_iter().collect();
        let text = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(fields, [text("email", "a@b.c"), text("firstName", "José"), text("nick", "7")]);
        let deep = format!("{{\"type\":6,\"metadata\":\"{}\"}}", "l".repeat(10_000));
        for json in [deep.as_str(), r#"{"type":6,"metadata":"d3:fld9999999999:x"}"#, r#"{"type":6,"metadata":"ie"}"#] {
            assert!(meta(json).fields().is_empty());
        }
        assert!(Meta::parse(b"{}").is_none() && Meta::parse(b"[1]").is_none());
    }
}
