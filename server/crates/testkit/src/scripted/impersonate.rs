//! The scripted server in the guise of servers that nobody can start here: their greetings, capabilities and folders,
//! and their quirks, each by its name and with the public place that tells of it. What is said of no quirk is as the
//! scripted server does it: an impersonation is no emulation.

use std::collections::{BTreeMap, BTreeSet};

use super::mailbox::{Mailbox, StoredMessage};
use super::{Builder, ScriptedImap, State};
use crate::wire::{Segment, mutf7_encode};

/// Whom the server plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Impersonation {
    /// imap.gmail.com. Capabilities before and after log-in:
    /// <https://developers.google.com/workspace/gmail/imap/imap-extensions> and logs of imapsync.
    Gmail,
    /// The same with German folder names: <https://github.com/Webklex/php-imap/issues/176>.
    GmailInGerman,
    /// outlook.office365.com. Capabilities: <https://github.com/mscdex/node-imap/issues/867>.
    Exchange,
    /// Zimbra 8 to 10. Capabilities: `SUPPORTED_EXTENSIONS` in `ImapHandler.java` of
    /// <https://github.com/Zimbra/zm-mailbox>.
    Zimbra,
    /// hMailServer 5. Capabilities: `IMAPCommandCapability.cpp` of <https://github.com/hmailserver/hmailserver>.
    HMailServer,
}

/// What a server does that no specification asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// FETCH tells X-GM-LABELS and X-GM-MSGID, without the label of the open folder; labels are folders, and every
    /// message outside of Spam and Trash is in All Mail as well.
    /// <https://developers.google.com/workspace/gmail/imap/imap-extensions>
    Labels,
    /// A message that its folder holds already is taken, is told a new UID, and is thrown away.
    /// <https://imapsync.lamiral.info/FAQ.d/FAQ.Gmail.txt> ("Can I safely use --useuid")
    DropsDuplicates,
    /// CREATE of a name with spaces at its ends or two in a row: `NO [CANNOT] Folder contains excess whitespace
    /// (Failure)`. <https://imapsync.lamiral.info/FAQ.d/FAQ.Gmail.txt> (`--regextrans2`)
    RefusesExcessWhitespace,
    /// Every FETCH ends with `OK Success [THROTTLED]` once the account is slowed down, and goes on.
    /// <https://github.com/mscdex/node-imap/issues/593>
    SaysThrottledInOk,
    /// RFC822.SIZE is the storage that a message occupies. MS-STANXIMAP section 2.2.25:
    /// <https://msdn.microsoft.com/en-us/library/ee624465(v=exchg.80).aspx>
    TellsStorageSize,
    /// A message with multipart/alternative within multipart/related is kept as MAPI and is written anew, not as it
    /// came. <https://mskb.pkisolutions.com/kb/176184>
    RebuildsMessages,
    /// An APPEND with a line of more than 9,900 bytes: `BAD Command Argument Error. 11`.
    /// <https://imapsync.lamiral.info/FAQ.d/FAQ.Exchange.txt> ("What does it mean?")
    RefusesLongLines,
    /// A damaged item (here: with a header `X-Damaged`) is listed, and `UID FETCH … (BODY.PEEK[])` answers OK without
    /// it. <https://github.com/OfflineIMAP/offlineimap/issues/62>
    KeepsDamagedItems,
    /// Only `$MDNSent` is kept beside the system flags: the PERMANENTFLAGS in
    /// <https://github.com/OfflineIMAP/offlineimap/issues/62>.
    KeepsNoKeywords,
    /// CREATE of a name that differs in case: `NO Mailbox already exists.`, and both names open the one folder.
    /// <https://imapsync.lamiral.info/FAQ.d/FAQ.Exchange.txt> ("Couldn't create folder [trash]")
    IgnoresCaseOfNames,
    /// Calendar, Contacts, Tasks and others are listed like folders of mail.
    /// <https://github.com/mikegioia/libremail/issues/105>
    ListsOtherItems,
    /// An empty message is refused with BAD: `AppendMessage.checkContent` of Zimbra ("zero-length message"),
    /// `IMAPCommandAppend.cpp` of hMailServer ("Empty message not permitted.").
    RefusesEmptyMessages,
    /// A date after 19 January 2038 is refused: `AppendMessage.checkDate` of <https://github.com/Zimbra/zm-mailbox>.
    RefusesLateDates,
    /// A keyword with a colon makes an APPEND fail without a reason: `NO APPEND failed`.
    /// <https://imapsync.lamiral.info/FAQ.d/FAQ.Zimbra.txt>
    FailsAtKeywords,
    /// Folders of contacts are listed, and nothing can be written to them: `ImapPath.isWritable` of
    /// <https://github.com/Zimbra/zm-mailbox>.
    KeepsContactsReadOnly,
    /// The end of the line behind a message becomes a part of it, and so does whatever has come behind that:
    /// `IMAPCommandAppend::ParseBinary` of <https://github.com/hmailserver/hmailserver> writes its whole buffer.
    SwallowsWhatFollows,
    /// Only the five system flags exist: `IMAPCommandAppend::Finish_` and `IMAPCommandSelect.cpp` of hMailServer.
    KnowsFiveFlags,
    /// A folder that is not there: `BAD Folder could not be found.` `IMAPCommandSelect.cpp` of hMailServer.
    SaysBadToMissingFolders,
    /// A part without bytes comes as `""`, not as a literal: `IMAPFetch::DoAction` of hMailServer.
    QuotesEmptyParts,
}

/// What Exchange says when it throttles: <https://github.com/imapsync/imapsync/issues/198>, where the time is 299609.
pub const EXCHANGE_IS_THROTTLED: &str = "Request is throttled. Suggested Backoff Time: 96 milliseconds";
/// How Gmail ends a session that has transferred too much: <https://imapsync.lamiral.info/FAQ.d/FAQ.Gmail.txt>.
pub const GMAIL_SESSION_EXPIRED: &str = "Session expired, please login again";

const GMAIL_BEFORE: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR \
    AUTH=XOAUTH2 AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER";
/// Without COMPRESS=DEFLATE, MOVE and UTF8=ACCEPT, which the scripted server does not know.
const GMAIL_AFTER: &str = "IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS ENABLE \
    CONDSTORE ESEARCH LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584";
const EXCHANGE_BEFORE: &str =
    "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+";
const EXCHANGE_AFTER: &str = "IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT \
    CLIENTACCESSRULES CLIENTNETWORKPRESENCELOCATION BACKENDAUTHENTICATE CHILDREN IDLE NAMESPACE LITERAL+";
const ZIMBRA: &str = "IMAP4rev1 AUTH=PLAIN ACL BINARY CATENATE CHILDREN CONDSTORE ENABLE ESEARCH ESORT I18NLEVEL=1 ID \
    IDLE LIST-EXTENDED LIST-STATUS LITERAL+ LOGIN-REFERRALS MULTIAPPEND NAMESPACE QRESYNC QUOTA RIGHTS=ektx SASL-IR \
    SEARCHRES SORT THREAD=ORDEREDSUBJECT UIDPLUS UNSELECT WITHIN XLIST";
const HMAILSERVER: &str = "IMAP4 IMAP4rev1 CHILDREN IDLE QUOTA SORT ACL NAMESPACE RIGHTS=texk";

const SYSTEM_FLAGS: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];

/// Gmail's own folders in English and in German, and what each is for.
const GMAIL_FOLDERS: [(&str, &str, &str); 8] = [
    ("[Gmail]", "[Gmail]", "\\Noselect"),
    ("[Gmail]/All Mail", "[Gmail]/Alle Nachrichten", "\\All"),
    ("[Gmail]/Drafts", "[Gmail]/Entwürfe", "\\Drafts"),
    ("[Gmail]/Important", "[Gmail]/Wichtig", "\\Important"),
    ("[Gmail]/Sent Mail", "[Gmail]/Gesendet", "\\Sent"),
    ("[Gmail]/Spam", "[Gmail]/Spam", "\\Junk"),
    ("[Gmail]/Starred", "[Gmail]/Markiert", "\\Flagged"),
    ("[Gmail]/Trash", "[Gmail]/Papierkorb", "\\Trash"),
];

impl Impersonation {
    /// What it does that others do not.
    #[must_use]
    pub const fn quirks(self) -> &'static [Quirk] {
        match self {
            Self::Gmail | Self::GmailInGerman => {
                &[Quirk::Labels, Quirk::DropsDuplicates, Quirk::RefusesExcessWhitespace, Quirk::SaysThrottledInOk]
            }
            Self::Exchange => &[
                Quirk::TellsStorageSize,
                Quirk::RebuildsMessages,
                Quirk::RefusesLongLines,
                Quirk::KeepsDamagedItems,
                Quirk::KeepsNoKeywords,
                Quirk::IgnoresCaseOfNames,
                Quirk::ListsOtherItems,
            ],
            Self::Zimbra => &[
                Quirk::RefusesEmptyMessages,
                Quirk::RefusesLateDates,
                Quirk::FailsAtKeywords,
                Quirk::KeepsContactsReadOnly,
            ],
            Self::HMailServer => &[
                Quirk::SwallowsWhatFollows,
                Quirk::RefusesEmptyMessages,
                Quirk::KnowsFiveFlags,
                Quirk::SaysBadToMissingFolders,
                Quirk::QuotesEmptyParts,
            ],
        }
    }

    fn folders(self) -> Vec<Mailbox> {
        let plain = |names: &[&str]| names.iter().map(|&name| Mailbox::new(name)).collect::<Vec<_>>();
        match self {
            Self::Gmail => GMAIL_FOLDERS.iter().map(|(name, _, what)| Mailbox::new(*name).attribute(*what)).collect(),
            Self::GmailInGerman => {
                GMAIL_FOLDERS.iter().map(|(_, name, what)| Mailbox::new(*name).attribute(*what)).collect()
            }
            Self::Exchange => {
                let mut all = plain(&["Archive", "Calendar", "Contacts", "Conversation History", "Notes", "Outbox"]);
                let uses = [("Deleted Items", "\\Trash"), ("Drafts", "\\Drafts"), ("Junk Email", "\\Junk")];
                let uses = uses.into_iter().chain([("Sent Items", "\\Sent")]);
                all.extend(uses.map(|(name, what)| Mailbox::new(name).attribute("\\Marked").attribute(what)));
                all
            }
            Self::Zimbra => plain(&["Chats", "Contacts", "Drafts", "Emailed Contacts", "Junk", "Sent", "Trash"]),
            Self::HMailServer => Vec::new(),
        }
    }
}

impl Builder {
    /// Plays a server of another make: its greeting, capabilities, separator, folders and quirks. Mailboxes of these
    /// names that are added after it take the place of its own.
    #[must_use]
    pub fn impersonate(mut self, whom: Impersonation) -> Self {
        let state = &mut self.state;
        state.quirks = whom.quirks().iter().copied().collect();
        let (greeting, before, after) = match whom {
            Impersonation::Gmail | Impersonation::GmailInGerman => {
                ("* OK Gimap ready for requests from 127.0.0.1 k2if6111336rvb.0", GMAIL_BEFORE, GMAIL_AFTER)
            }
            Impersonation::Exchange => {
                ("* OK The Microsoft Exchange IMAP4 service is ready. [RABC]", EXCHANGE_BEFORE, EXCHANGE_AFTER)
            }
            Impersonation::Zimbra => ("* OK localhost Zimbra IMAP4rev1 server ready", ZIMBRA, ZIMBRA),
            Impersonation::HMailServer => ("* OK IMAPrev1", HMAILSERVER, HMAILSERVER),
        };
        state.greeting = format!("{greeting}\r\n");
        state.capability_before = Some(before.to_owned());
        state.capability = after.to_owned();
        let kept: Option<Vec<&str>> = match whom {
            Impersonation::Exchange => Some([SYSTEM_FLAGS.as_slice(), &["$MDNSent"]].concat()),
            Impersonation::HMailServer => Some(SYSTEM_FLAGS.to_vec()),
            _ => None,
        };
        state.permanent_flags = kept.map(|flags| flags.into_iter().map(str::to_owned).collect());
        if whom == Impersonation::HMailServer {
            state.separator = '.';
            state.namespace = Some(r##"(("" ".")) NIL (("#Public" "."))"##.to_owned());
        }
        let folders = whom.folders();
        folders.into_iter().fold(self, Builder::mailbox)
    }
}

impl ScriptedImap {
    /// How often each quirk of the impersonated server showed itself.
    #[must_use]
    pub fn quirk_counts(&self) -> BTreeMap<Quirk, u64> {
        self.shared.lock().quirk_counts.clone()
    }
}

impl State {
    pub(super) fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// Whether a quirk is there and shows itself now.
    pub(super) fn shows(&mut self, quirk: Quirk, now: bool) -> bool {
        let shown = now && self.has(quirk);
        if shown {
            *self.quirk_counts.entry(quirk).or_default() += 1;
        }
        shown
    }

    /// Lets a mailbox keep only the flags that its server keeps.
    pub(super) fn restrict(&mut self) {
        if let Some(permanent) = self.permanent_flags.clone().filter(|_| !self.quirks.is_empty()) {
            for mailbox in &mut self.mailboxes {
                mailbox.permanent_flags.clone_from(&permanent);
            }
        }
        if self.has(Quirk::Labels) {
            let all: Vec<(String, StoredMessage)> = self
                .mailboxes
                .iter()
                .filter(|mailbox| fills_all_mail(mailbox))
                .flat_map(|mailbox| mailbox.messages.iter().map(|message| (mailbox.name.clone(), message.clone())))
                .collect();
            for (_, message) in all {
                self.add_to_all_mail(&message);
            }
        }
    }

    /// Everything is in All Mail, once.
    pub(super) fn add_to_all_mail(&mut self, message: &StoredMessage) {
        let all_mail = self.mailboxes.iter_mut().find(|mailbox| has_use(mailbox, "\\All"));
        if let Some(mailbox) = all_mail
            && !mailbox.messages.iter().any(|known| known.bytes == message.bytes)
        {
            mailbox.push(message.bytes.clone(), message.date, message.flags.clone());
            mailbox.settle();
        }
    }

    /// A new message has come into a mailbox.
    pub(super) fn arrived(&mut self, name: &str, uids: &[u32]) {
        if !self.has(Quirk::Labels) {
            return;
        }
        let Some(mailbox) = self.mailboxes.iter().find(|mailbox| mailbox.name == name && fills_all_mail(mailbox))
        else {
            return;
        };
        let new: Vec<StoredMessage> =
            uids.iter().filter_map(|uid| Some(mailbox.messages[mailbox.place(*uid)?].clone())).collect();
        for message in new {
            self.add_to_all_mail(&message);
        }
    }

    /// The server's own reason to refuse a message.
    pub(super) fn quirky_refusal(&mut self, folder: &str, bytes: &[u8], date: i64, flags: &[String]) -> Option<String> {
        if self.quirks.is_empty() {
            return None;
        }
        let longest = bytes.split(|&byte| byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
        let contacts = matches!(folder, "Contacts" | "Emailed Contacts");
        let swallows = self.has(Quirk::SwallowsWhatFollows);
        // What it has swallowed is at least the end of the line.
        let empty = if swallows { bytes == b"\r\n" } else { bytes.is_empty() };
        if self.shows(Quirk::RefusesLongLines, longest > 9_900) {
            return Some("BAD Command Argument Error. 11".to_owned());
        }
        if self.shows(Quirk::RefusesEmptyMessages, empty) {
            let words = if swallows { "Empty message not permitted." } else { "zero-length message" };
            return Some(format!("BAD {words}"));
        }
        if self.shows(Quirk::RefusesLateDates, date > i64::from(i32::MAX)) {
            return Some("NO APPEND failed (date out of range)".to_owned());
        }
        if self.shows(Quirk::FailsAtKeywords, flags.iter().any(|flag| flag.contains(':'))) {
            return Some("NO APPEND failed".to_owned());
        }
        self.shows(Quirk::KeepsContactsReadOnly, contacts).then(|| "NO APPEND failed".to_owned())
    }

    /// A message as the server keeps it.
    pub(super) fn kept(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if !self.has(Quirk::RebuildsMessages) {
            return bytes;
        }
        let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
        let related = holds(b"multipart/related") && holds(b"multipart/alternative");
        if !self.shows(Quirk::RebuildsMessages, related) {
            return bytes;
        }
        // The parts get boundaries of Exchange's own.
        String::from_utf8_lossy(&bytes).replace("=_outer", "_004_rebuilt_").replace("=_inner", "_000_rebuilt_").into()
    }

    /// The server's own reason to refuse a new folder.
    pub(super) fn quirky_name(&mut self, name: &str) -> Option<String> {
        let excess = name.split(self.separator).any(|level| level.trim() != level) || name.contains("  ");
        let alike = self.mailboxes.iter().any(|mailbox| mailbox.name.to_lowercase() == name.to_lowercase());
        if self.shows(Quirk::RefusesExcessWhitespace, excess) {
            return Some("NO [CANNOT] Folder contains excess whitespace (Failure)".to_owned());
        }
        self.shows(Quirk::IgnoresCaseOfNames, alike).then(|| "NO Mailbox already exists.".to_owned())
    }

    /// A mailbox's own name for the one that the client uses.
    pub(super) fn own_name(&self, name: String) -> String {
        if !self.has(Quirk::IgnoresCaseOfNames) {
            return name;
        }
        let alike = self.mailboxes.iter().find(|mailbox| mailbox.name.to_lowercase() == name.to_lowercase());
        alike.map_or(name, |mailbox| mailbox.name.clone())
    }

    /// What only Gmail tells, by UID, of the messages of a mailbox.
    pub(super) fn labels(&mut self, name: Option<&str>, items: &[String]) -> BTreeMap<u32, Extras> {
        let asked = items.iter().any(|item| item.to_ascii_uppercase().starts_with("X-GM-"));
        let mut found = BTreeMap::new();
        let Some(name) = name.filter(|_| self.shows(Quirk::Labels, asked)) else { return found };
        let Some(open) = self.mailboxes.iter().find(|mailbox| mailbox.name == name) else { return found };
        for message in &open.messages {
            let here = |mailbox: &&Mailbox| {
                mailbox.name != name
                    && mailbox.selectable()
                    && mailbox.messages.iter().any(|known| known.bytes == message.bytes)
            };
            let labels: Vec<String> = self.mailboxes.iter().filter(here).filter_map(label).collect();
            let id =
                blake3::hash(&message.bytes).as_bytes()[..8].iter().fold(0_u64, |n, &b| n << 8 | u64::from(b)) >> 2;
            found.insert(message.uid, Extras { labels: labels.join(" "), id });
        }
        found
    }
}

/// What only Gmail tells of a message.
#[derive(Debug, Default)]
pub(super) struct Extras {
    labels: String,
    id: u64,
}

impl Extras {
    /// Writes `name value` of an item of Gmail's.
    pub(super) fn write(&self, item: &str, out: &mut Vec<u8>) -> Option<()> {
        match item.to_ascii_uppercase().as_str() {
            "X-GM-LABELS" => out.extend_from_slice(format!("X-GM-LABELS ({})", self.labels).as_bytes()),
            "X-GM-MSGID" => out.extend_from_slice(format!("X-GM-MSGID {}", self.id).as_bytes()),
            _ => return None,
        }
        Some(())
    }
}

fn has_use(mailbox: &Mailbox, attribute: &str) -> bool {
    mailbox.attributes.iter().any(|known| known.eq_ignore_ascii_case(attribute))
}

fn fills_all_mail(mailbox: &Mailbox) -> bool {
    !["\\All", "\\Junk", "\\Trash"].iter().any(|attribute| has_use(mailbox, attribute))
}

/// A mailbox as X-GM-LABELS writes it; All Mail is no label. One label comes as a literal, as any string may.
fn label(mailbox: &Mailbox) -> Option<String> {
    if mailbox.name == "INBOX" {
        return Some(r#""\\Inbox""#.to_owned());
    }
    let system = [("\\Sent", "Sent"), ("\\Drafts", "Draft"), ("\\Important", "Important"), ("\\Flagged", "Starred")];
    if let Some((_, name)) = system.iter().find(|(attribute, _)| has_use(mailbox, attribute)) {
        return Some(format!(r#""\\{name}""#));
    }
    if !fills_all_mail(mailbox) {
        return None;
    }
    let name = mutf7_encode(&mailbox.name);
    Some(if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        name
    } else if name.contains('"') {
        format!("{{{}}}\r\n{name}", name.len())
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\"))
    })
}

/// A size as Exchange tells it: not what a FETCH of the message brings.
pub(super) fn storage_size(bytes: &[u8]) -> usize {
    bytes.len() + bytes.len() / 8 + 7
}

/// Whether a message is one that the server lists and does not deliver.
pub(super) fn is_damaged(bytes: &[u8]) -> bool {
    bytes.windows(12).any(|window| window == b"\r\nX-Damaged:")
}

/// What has come behind a message that was announced with a literal becomes a part of it.
pub(super) fn swallow(quirks: &BTreeSet<Quirk>, segments: &mut [Segment], behind: impl FnOnce() -> Vec<u8>) -> u64 {
    if !quirks.contains(&Quirk::SwallowsWhatFollows) {
        return 0;
    }
    let is_append = match segments.first() {
        Some(Segment::Text(line)) => {
            line.split(|&byte| byte == b' ').nth(1).is_some_and(|word| word.eq_ignore_ascii_case(b"APPEND"))
        }
        _ => false,
    };
    let last = segments.iter_mut().rev().find_map(|segment| match segment {
        Segment::Literal(bytes) => Some(bytes),
        Segment::Text(_) => None,
    });
    let Some(message) = last.filter(|_| is_append) else { return 0 };
    message.extend_from_slice(b"\r\n");
    message.extend_from_slice(&behind());
    1
}
