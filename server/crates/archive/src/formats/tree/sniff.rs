//! What a file among others is, by its first bytes and, where these leave it open, by its name.

use crate::containers::section::Section;
use crate::formats::{header, header::Header, mbox, message};

/// How many bytes are looked at.
pub(crate) const HEAD: usize = 8 * 1024;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// One message.
    Message,
    /// An OLE file of Outlook with one item.
    Outlook,
    /// An mbox.
    Mbox,
    /// A vCard, an iCalendar file.
    Contact,
    Calendar,
    /// A PST or OST.
    Pst,
    /// An archive of its own.
    Archive(&'static str),
    /// What mail programs and systems keep beside mail.
    Ignored,
    /// Nothing that is known.
    Other,
}

/// What a file of macOS's attributes begins with (AppleDouble).
const APPLE_DOUBLE: &[u8] = b"\0\x05\x16\x07";

/// Whether a file is named as one that lies there only for a program or a system. A folder of mail may be called so too:
/// [`sniff`] asks the content first.
pub(super) fn is_ignored(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        ".ds_store",
        "thumbs.db",
        "desktop.ini",
        "subscriptions",
        "dovecot-acl",
        "dovecot-acl-list",
        "dovecot-keywords",
        "dovecot-quota",
        "dovecot-shared",
        "dovecot-uidlist",
        "dovecot-uidvalidity",
        "dovecot.lda-dupes",
        "dovecot.mailbox.log",
        "dovecot.mailbox.log.2",
        "dovecot.sieve",
        "dovecot.svbin",
        "courierimapacl",
        "courierimapsubscribed",
        "courierimapuiddb",
        "courierpop3dsizelist",
        "cyrus.annotations",
        "cyrus.cache",
        "cyrus.expunge",
        "cyrus.header",
        "cyrus.index",
        "cyrus.squat",
        "maildirsize",
        "maildirfolder",
        "msgfilterrules.dat",
        "filterlog.html",
        "training.dat",
        "popstate.dat",
        "virtualfolders.dat",
        "feeds.json",
        "feeditems.json",
        "table_of_contents",
        ".gitkeep",
        "archive_browser.html",
    ];
    // Logs and caches are numbered and come in kinds.
    const BEGINNINGS: [&str; 4] = ["._", "dovecot.index", "dovecot.list.index", "dovecot-uidvalidity."];
    let lower = name.to_lowercase();
    // What servers keep is written in small letters.
    let servers = |known: &str| ["dovecot", "courier", "cyrus", "subscriptions"].iter().any(|s| known.starts_with(s));
    NAMES.iter().any(|known| if servers(known) { name == *known } else { lower == *known })
        || BEGINNINGS.iter().any(|begins| name.starts_with(begins))
        || lower.ends_with(".msf")
        || lower.ends_with(".emlxpart")
}

/// The name's ending, in lower case.
pub(crate) fn ending(name: &str) -> String {
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_lowercase())
}

/// Looks at a file.
pub(crate) fn sniff(name: &str, head: &[u8], bytes: u64) -> Sniffed {
    const ARCHIVES: [(&[u8], &str); 8] = [
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"7z\xBC\xAF\x27\x1C", "7z"),
        (b"Rar!\x1A\x07", "rar"),
        (b"BZh", "bzip2"),
        (b"\xFD7zXZ\0", "xz"),
        (b"\x28\xB5\x2F\xFD", "zstd"),
    ];
    // These hold parts of mail, or nothing of it, under names of mail.
    let apples = name.starts_with("._") && (bytes == 0 || head.starts_with(APPLE_DOUBLE));
    if apples || name.to_lowercase().ends_with(".emlxpart") {
        return Sniffed::Ignored;
    }
    if head.starts_with(b"!BDN") {
        return Sniffed::Pst;
    }
    let ending = ending(name);
    if head.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return if matches!(ending.as_str(), "msg" | "oft" | "") { Sniffed::Outlook } else { Sniffed::Other };
    }
    if matches!(ending.as_str(), "eml" | "emlx") {
        return Sniffed::Message;
    }
    if let Some((_, kind)) = ARCHIVES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Sniffed::Archive(kind);
    }
    if crate::containers::is_tar(head) {
        return Sniffed::Archive("tar");
    }
    if mbox::is_mbox(&Section::of_bytes(head)).unwrap_or(false) {
        return Sniffed::Mbox;
    }
    let begins = |word: &[u8]| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if begins(b"BEGIN:VCARD") {
        return Sniffed::Contact;
    }
    if begins(b"BEGIN:VCALENDAR") {
        return Sniffed::Calendar;
    }
    if message::is_emlx(head, bytes) || begins_as_mail(head) {
        return Sniffed::Message;
    }
    // Thunderbird's folders without mail are empty files.
    if is_ignored(name) || bytes == 0 && !name.contains('.') { Sniffed::Ignored } else { Sniffed::Other }
}

/// Whether a text begins with a header of mail: a field, and two that no other text has together.
pub(crate) fn begins_as_mail(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    header::is_field(line) && Header::parse(head).mail_fields() >= 2
}
