//! What is known of an item beside its content: when it came, its flags, its categories.

use crate::{Key, Kind, Message, Properties, Value, clock::Moment, mime, sets, tags};

/// What is known of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its message class as the file has it; `IPM.Note` where it has none.
    pub class: String,
    /// What it is made into.
    pub kind: Kind,
    /// Its subject, or the name of a contact.
    pub subject: Option<String>,
    /// Its Message-Id, as the property has it.
    pub message_id: Option<String>,
    /// When it was received, or where it never was, sent or written: seconds since 1970 and the zone in minutes east of
    /// UTC, which is 0, since MAPI keeps times in UTC.
    pub received: Option<(i64, i16)>,
    /// Flags of IMAP: `\Seen`, `\Answered`, `\Flagged`, `\Draft`, `$Forwarded`.
    pub flags: Vec<&'static str>,
    /// Its categories as keywords of IMAP: atoms, in lower US-ASCII where they can be.
    pub keywords: Vec<String>,
    /// Its categories as a person wrote them.
    pub categories: Vec<String>,
}

/// What is known of an item.
#[must_use]
pub fn facts<M: Message + ?Sized>(message: &M) -> Facts {
    let p = message.properties();
    let class = p.text(tags::MESSAGE_CLASS).unwrap_or("IPM.Note").to_owned();
    let kind = Kind::of(&class);
    let subject = p.text(tags::SUBJECT).map(mime::strip_prefix_mark).filter(|s| !s.is_empty());
    let name = p.text(tags::DISPLAY_NAME).filter(|_| matches!(kind, Kind::Contact | Kind::ContactList));
    let received = [tags::DELIVERY_TIME, tags::CLIENT_SUBMIT_TIME, tags::CREATION_TIME, tags::LAST_MODIFICATION_TIME]
        .into_iter()
        .filter_map(|tag| p.time(tag).and_then(Moment::from_filetime))
        // Nobody had mail before 1970: such a date is damage, and no server would take it.
        .find(|moment| moment.seconds >= 0);
    let categories = categories(p);
    let mut keywords: Vec<String> = Vec::with_capacity(categories.len());
    for keyword in categories.iter().filter_map(|c| keyword(c)) {
        if !keywords.iter().any(|other| other.eq_ignore_ascii_case(&keyword)) {
            keywords.push(keyword);
        }
    }
    Facts {
        kind,
        subject: name.or(subject).or_else(|| p.text(tags::DISPLAY_NAME)).map(str::to_owned),
        message_id: p.text(tags::MESSAGE_ID).map(str::to_owned),
        received: received.map(|moment| (moment.seconds, 0)),
        flags: flags(p),
        keywords,
        categories: categories.into_iter().map(str::to_owned).collect(),
        class,
    }
}

/// The flags of IMAP (MS-OXCMSG section 2.2.1.6, MS-OXOFLAG, MS-OXOMSG section 2.2.1.4).
fn flags(p: &Properties) -> Vec<&'static str> {
    const READ: i64 = 0x1;
    const UNSENT: i64 = 0x8;
    let state = p.integer(tags::MESSAGE_FLAGS).unwrap_or(0);
    let mut flags = Vec::new();
    if state & READ != 0 {
        flags.push("\\Seen");
    }
    match p.integer(tags::LAST_VERB) {
        Some(102 | 103) => flags.push("\\Answered"),
        Some(104) => flags.push("$Forwarded"),
        Some(_) => {}
        // Older servers tell it by the icon alone.
        None => match p.integer(tags::ICON_INDEX) {
            Some(0x105) => flags.push("\\Answered"),
            Some(0x106) => flags.push("$Forwarded"),
            _ => {}
        },
    }
    // 2 is flagged; 1 is done with.
    if p.integer(tags::FLAG_STATUS) == Some(2) {
        flags.push("\\Flagged");
    }
    if state & UNSENT != 0 {
        flags.push("\\Draft");
    }
    flags
}

/// The categories (PidNameKeywords) as they were written.
pub(crate) fn categories(p: &Properties) -> Vec<&str> {
    let named = p.get(&Key::Name(sets::PUBLIC_STRINGS, "Keywords".to_owned()));
    let value = named.or_else(|| {
        p.iter().find_map(|(key, value)| match key {
            Key::Name(set, name) if *set == sets::PUBLIC_STRINGS && name.eq_ignore_ascii_case("Keywords") => {
                Some(value)
            }
            _ => None,
        })
    });
    let mut found = mime::texts(value.filter(|v| !matches!(v, Value::Bytes(_))));
    found.retain(|text| !text.trim().is_empty());
    found.truncate(100);
    found
}

/// A keyword of IMAP for a category: an atom (RFC 3501 section 9). Letters with marks lose them, what else is no part
/// of an atom becomes `_`.
fn keyword(category: &str) -> Option<String> {
    let mut out = String::with_capacity(category.len());
    for c in category.trim().chars().take(64) {
        match c {
            c if c.is_ascii_alphanumeric() || "$-.&!'#+=:;,<>@^`|~/?_".contains(c) => out.push(c),
            'À'..='Å' => out.push('A'),
            'à'..='å' => out.push('a'),
            'Ç' => out.push('C'),
            'ç' => out.push('c'),
            'È'..='Ë' => out.push('E'),
            'è'..='ë' => out.push('e'),
            'Ì'..='Ï' => out.push('I'),
            'ì'..='ï' => out.push('i'),
            'Ñ' => out.push('N'),
            'ñ' => out.push('n'),
            'Ò'..='Ö' => out.push('O'),
            'ò'..='ö' => out.push('o'),
            'Ù'..='Ü' => out.push('U'),
            'ù'..='ü' => out.push('u'),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    // Letters of another script are told apart by their numbers: two categories must not become one keyword.
    if !out.chars().any(|c| c.is_ascii_alphanumeric()) {
        out = category.trim().chars().take(12).map(|c| format!("u{:x}", u32::from(c))).collect::<Vec<_>>().join("_");
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Item;

    #[test]
    fn flags_are_those_that_outlook_shows() {
        for (state, status, verb, flags) in [
            (1, 0, 0, &["\\Seen"][..]),
            (0, 2, 0, &["\\Flagged"]),
            (0, 1, 0, &[]),
            (9, 0, 0, &["\\Seen", "\\Draft"]),
            (1, 0, 103, &["\\Seen", "\\Answered"]),
            (1, 0, 104, &["\\Seen", "$Forwarded"]),
        ] {
            let mut item = Item::new("IPM.Note");
            item.set(tags::MESSAGE_FLAGS, Value::Int32(state));
            item.set(tags::FLAG_STATUS, Value::Int32(status));
            item.set(tags::LAST_VERB, Value::Int32(verb));
            assert_eq!(facts(&item).flags, flags, "{state} {status} {verb}");
        }
    }

    #[test]
    fn categories_become_keywords_that_imap_can_carry() {
        for (category, expected) in [
            ("Work", "Work"),
            ("Clientes Árvore", "Clientes_Arvore"),
            ("(x) {y}", "_x_y_"),
            ("日本", "u65e5_u672c"),
            ("*", "u2a"),
        ] {
            assert_eq!(keyword(category).as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_received_date_is_the_delivery_time_and_else_the_best_other() {
        let mut item = Item::new("IPM.Note");
        assert_eq!(facts(&item).received, None);
        item.set(tags::CREATION_TIME, Value::Time(116_444_736_000_000_000));
        assert_eq!(facts(&item).received, Some((0, 0)));
        item.set(tags::DELIVERY_TIME, Value::Time(116_444_736_070_000_000));
        assert_eq!(facts(&item).received, Some((7, 0)));
        item.set(tags::DELIVERY_TIME, Value::Time(1));
        assert_eq!(facts(&item).received, Some((0, 0)));
    }
}
