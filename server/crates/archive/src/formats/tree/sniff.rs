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
    /// What may hold mail by its name or its beginning, and cannot be read: why, and what to do.
    Suspect(&'static str),
    /// Nothing that is known.
    Other,
}

/// What a file of macOS's attributes begins with (AppleDouble).
const APPLE_DOUBLE: &[u8] = b"\0\x05\x16\x07";

/// Whether a file is named as one that lies there only for a program or a system. A folder of mail may be called so too:
/// [`sniff`] asks the content first.
pub(super) fn is_ignored(name: &str) -> bool {
    const NAMES: [&str; 40] = [
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
        "vacation.msg",
        ".vacation.msg",
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

/// A name in lower case, without the ending of a copy.
fn original(name: &str) -> String {
    const COPIES: [&str; 7] = ["bak", "old", "orig", "tmp", "part", "partial", "crdownload"];
    let mut lower = name.to_lowercase();
    if let Some((first, last)) = lower.rsplit_once('.')
        && COPIES.contains(&last)
    {
        lower.truncate(first.len());
    }
    lower
}

/// Whether a name, or the one behind the ending of a copy, says that mail is in the file.
pub(super) fn is_mail_name(name: &str) -> bool {
    const ENDINGS: [&str; 19] = [
        "mbox", "mboxrd", "mboxo", "mboxcl", "mboxcl2", "mbx", "mbs", "msg", "dbx", "olm", "nsf", "ost", "pst", "eml",
        "emlx", "edb", "imm", "tbb", "pmm",
    ];
    let name = original(name);
    name == "mbox" || ENDINGS.contains(&ending(&name).as_str())
}

/// Whether a name, or the one behind the ending of a copy, is one of an mbox file.
pub(super) fn is_mbox_name(name: &str) -> bool {
    let name = original(name);
    let ending = ending(&name);
    name == "mbox" || matches!(ending.as_str(), "mbox" | "mboxrd" | "mboxo" | "mboxcl" | "mboxcl2" | "mbx" | "mbs")
}

/// Whether a name is one of a text that people or programs write; those quote mail.
fn is_text_name(name: &str) -> bool {
    const TEXTS: [&str; 19] = [
        "txt", "text", "md", "rst", "adoc", "tex", "rtf", "log", "csv", "tsv", "htm", "html", "xml", "json", "ini",
        "cfg", "conf", "yml", "yaml",
    ];
    TEXTS.contains(&ending(name).as_str())
}

/// Whether a name is one of a file that is an archive for its program only, or of one that holds no mail.
fn is_packed_name(name: &str) -> bool {
    const ENDINGS: [&str; 10] = ["xpi", "jar", "docx", "xlsx", "pptx", "odt", "ods", "odp", "epub", "apk"];
    if ENDINGS.contains(&ending(name).as_str()) {
        return true;
    }
    // Dumps, and logs, which are numbered: `mail.log.2.gz`.
    let lower = name.to_lowercase();
    let Some(packed) = lower.strip_suffix(".gz") else { return false };
    let packed = packed.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('.');
    packed.ends_with(".sql") || packed.ends_with(".log")
}

/// Whether a name is without an ending, or ends as servers and MH call messages: in a number.
pub(super) fn is_bare(name: &str) -> bool {
    ending(name).bytes().all(|b| b.is_ascii_digit())
}

/// What a file of another kind begins with, and what it looks like then.
pub(crate) fn looks_like(head: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 9] = [
        (b"7z\xBC\xAF\x27\x1C", "it looks like a 7z archive; unpack it"),
        (b"Rar!\x1A\x07", "it looks like a rar archive; unpack it"),
        (b"\x1f\x8b\x08", "it looks like a single file compressed by gzip; unpack it"),
        (b"BZh", "it looks like a file compressed by bzip2; unpack it"),
        (b"\xFD7zXZ\0", "it looks like a file compressed by xz; unpack it"),
        (b"%PDF", "it looks like a PDF"),
        (b"SQLite format 3\0", "it looks like a database"),
        (b"*mbx*\r\n", "it looks like an .mbx file of UW IMAP; convert it to mbox (mailutil)"),
        (b"\xCF\xAD\x12\xFE", "it looks like a file of Outlook Express (.dbx); import it into a mail program first"),
    ];
    KNOWN.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, what)| *what)
}

/// Whether a file's beginning is one that no mbox has, whatever lines there are in it.
fn is_other(head: &[u8]) -> bool {
    const OTHERS: [&[u8]; 9] = [b"<", b"{", b"\x89PNG", b"\xFF\xD8\xFF", b"GIF8", b"BM", b"RIFF", b"MZ", b"\x7FELF"];
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    looks_like(head).is_some() || OTHERS.iter().any(|magic| text.starts_with(magic))
}

/// Why a file that is nothing known may hold mail all the same.
fn suspect(name: &str, head: &[u8], bytes: u64) -> Option<&'static str> {
    let begin = head.iter().take_while(|b| matches!(b, 0 | b'\r' | b'\n')).count();
    let rest = &head[begin..];
    if bytes == 0 {
        // An mbox without a message is an empty file; nothing else of mail is.
        return (is_mail_name(name) && !is_mbox_name(name)).then_some("there is not one byte in it; bring it again");
    }
    if is_mail_name(name) {
        let is_text = || head.iter().all(|b| !b.is_ascii_control() || b.is_ascii_whitespace());
        let fields = || Header::parse(rest).mail_fields();
        // Outlook's are no texts; what servers and programs call so may be one.
        if ending(&original(name)) == "msg" && looks_like(head).is_none() && is_text() && fields() == 0 {
            return None;
        }
        return Some(match looks_like(head) {
            Some(what) => what,
            None if rest.is_empty() => "it begins with nothing but zeros; it may not have been copied whole",
            None => "it is of a kind that is not known, or damaged; bring it as mbox or .eml",
        });
    }
    if is_other(head) {
        return None;
    }
    if begin > 0 && (begins_as_mail(rest) || mbox::is_mbox(&Section::of_bytes(rest)).unwrap_or(false)) {
        return Some("there are zeros or empty lines in front of mail in it; it may be damaged");
    }
    if rest.is_empty() {
        return is_bare(name).then_some("it begins with nothing but zeros; it may not have been copied whole");
    }
    let line = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    let fields = header::is_field(line) && Header::parse(rest).mail_fields() > 0;
    (fields && !is_text_name(name))
        .then_some("it begins as a message may; where it is one, give it the ending .eml and bring it again")
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
        return match ending.as_str() {
            "msg" | "oft" | "" => Sniffed::Outlook,
            _ if is_mail_name(name) => {
                Sniffed::Suspect("it looks like an item of Outlook; give it the ending .msg and bring it again")
            }
            _ => Sniffed::Other,
        };
    }
    if matches!(ending.as_str(), "eml" | "emlx") {
        return Sniffed::Message;
    }
    if let Some((_, kind)) = ARCHIVES.iter().find(|(magic, _)| head.starts_with(magic)) {
        return if is_packed_name(name) { Sniffed::Other } else { Sniffed::Archive(kind) };
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
    // A message that was damaged, or something else, may stand in front of the others.
    let (is_mbox, is_other) = (is_mbox_name(name), is_other(head));
    let later = |headed: bool| !is_other && mbox::has_message(head, headed).unwrap_or(false);
    if is_mbox && later(false) {
        return Sniffed::Mbox;
    }
    if message::is_emlx(head, bytes) || begins_as_mail(head) {
        return Sniffed::Message;
    }
    // A text may quote mail, and have lines that look like the beginning of a message.
    if bytes > 0 && is_mbox && !is_other || !is_text_name(name) && later(true) {
        return Sniffed::Mbox;
    }
    // Thunderbird's folders without mail are empty files.
    if is_ignored(name) || bytes == 0 && !name.contains('.') {
        return Sniffed::Ignored;
    }
    suspect(name, head, bytes).map_or(Sniffed::Other, Sniffed::Suspect)
}

/// Whether a text begins with a header of mail: a field, and two that no other text has together.
pub(crate) fn begins_as_mail(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
    header::is_field(line) && Header::parse(head).mail_fields() >= 2
}
