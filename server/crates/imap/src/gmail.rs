//! Gmail (capability X-GM-EXT-1): one message may have several labels, and each label is a folder. Which folder a
//! message arrives in is decided here, by one pure rule for the engine and for the witness alike.
//!
//! What Gmail says: <https://developers.google.com/workspace/gmail/imap/imap-extensions>. X-GM-LABELS names a message's
//! labels but for the one whose folder is open; system labels begin with a backslash. Labels that are not shown in
//! IMAP have no folder. `[Gmail]/All Mail` shows everything that is in neither Spam nor Trash; what it alone shows is
//! archived mail without a label.

use crate::{
    mailbox::item,
    wire::{Response, Value, utf7},
};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{FolderPath, FolderState, RemoteFolder};
use std::sync::Arc;

/// The capability that tells Gmail.
pub(crate) const CAPABILITY: &str = "X-GM-EXT-1";

/// How often a message of Gmail that has several labels arrives. In either case "All Mail" holds only what no other
/// folder holds: archived mail without a label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GmailLabels {
    /// In each folder in which Gmail shows it.
    #[default]
    Each,
    /// In the first of its folders: INBOX, Sent, Drafts, then the labels by their paths.
    Once,
}

/// Whether a message that `folder` shows with these labels belongs into it.
///
/// Spam and Trash keep all that they show: what lies there is in no other folder, whatever labels it still has. The
/// views Starred and Important are no places at all; somebody who asks for one gets it whole.
pub(crate) fn belongs(rule: GmailLabels, folder: &RemoteFolder, labels: &[String], folders: &[RemoteFolder]) -> bool {
    if !filters(rule, folder) {
        return true;
    }
    let own = rank(folder);
    !labels.iter().filter_map(|label| place(label, folders)).any(|other| {
        other.native != folder.native && (is_all_mail(folder) || rule == GmailLabels::Once && rank(other) < own)
    })
}

/// Whether a folder may show messages that do not belong into it.
fn filters(rule: GmailLabels, folder: &RemoteFolder) -> bool {
    use SpecialUse::{Flagged, Inbox, Junk, Trash};
    is_all_mail(folder)
        || rule == GmailLabels::Once && !matches!(folder.special_use, Some(Inbox | Junk | Trash | Flagged))
}

/// Gmail has no archive but this.
fn is_all_mail(folder: &RemoteFolder) -> bool {
    matches!(folder.special_use, Some(SpecialUse::All | SpecialUse::Archive))
}

/// Folders in the order in which a message is given to the first of them.
fn rank(folder: &RemoteFolder) -> (u8, &FolderPath) {
    let class = match folder.special_use {
        Some(SpecialUse::Inbox) => 0,
        Some(SpecialUse::Sent) => 1,
        Some(SpecialUse::Drafts) => 2,
        Some(SpecialUse::All | SpecialUse::Archive) => 4,
        // They keep what they show, and take nothing from a folder that shows it too.
        Some(SpecialUse::Junk | SpecialUse::Trash) => 5,
        _ => 3,
    };
    (class, &folder.path)
}

/// The folder of a label, where it has one.
fn place<'a>(label: &str, folders: &'a [RemoteFolder]) -> Option<&'a RemoteFolder> {
    let mut selectable = folders.iter().filter(|f| f.selectable && !is_all_mail(f));
    let Some(system) = label.strip_prefix('\\') else {
        return selectable.find(|f| f.native == label && f.special_use != Some(SpecialUse::Flagged));
    };
    let special_use = match system.to_ascii_lowercase().as_str() {
        "inbox" => SpecialUse::Inbox,
        "sent" => SpecialUse::Sent,
        "draft" | "drafts" => SpecialUse::Drafts,
        "junk" | "spam" => SpecialUse::Junk,
        "trash" => SpecialUse::Trash,
        // \Important, \Starred, \Muted and what may come: marks, not places.
        _ => return None,
    };
    selectable.find(|f| f.special_use == Some(special_use))
}

/// The labels in the items of a FETCH response; `None` where it tells none. With UTF8=ACCEPT (RFC 6855) names are
/// UTF-8, else modified UTF-7.
pub(crate) fn labels_of(items: &[Value], utf8: bool) -> Option<Vec<String>> {
    let labels = item(items, "X-GM-LABELS")?.list()?;
    let read = |bytes: &[u8]| if utf8 { String::from_utf8_lossy(bytes).into_owned() } else { utf7::decode(bytes) };
    // A label called NIL, unquoted.
    Some(
        labels.iter().filter_map(|l| if *l == Value::Nil { Some("NIL".into()) } else { l.bytes().map(read) }).collect(),
    )
}

/// An account of Gmail that is read.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    rule: GmailLabels,
    folders: Option<Arc<[RemoteFolder]>>,
}

impl Labels {
    pub(crate) fn new(rule: GmailLabels) -> Self {
        Self { rule, folders: None }
    }

    /// Whether the folders must be known before this one is opened.
    pub(crate) fn needs_folders(&self, folder: &RemoteFolder) -> bool {
        self.folders.is_none() && filters(self.rule, folder)
    }

    /// Takes the account's folders and makes "All Mail" the archive that it is once it is filtered.
    pub(crate) fn learn<'a>(&mut self, folders: impl Iterator<Item = &'a mut RemoteFolder>) {
        let learnt: Vec<RemoteFolder> = folders
            .map(|folder| {
                if folder.special_use == Some(SpecialUse::All) {
                    folder.special_use = Some(SpecialUse::Archive);
                }
                folder.clone()
            })
            .collect();
        self.folders = Some(learnt.into());
    }

    /// What decides about the messages of a folder; `None` where it holds all that it shows.
    pub(crate) fn filter(&self, folder: &RemoteFolder) -> Option<Filter> {
        let folders = Arc::clone(self.folders.as_ref()?);
        filters(self.rule, folder).then(|| Filter { rule: self.rule, folder: folder.clone(), folders })
    }

    /// Takes from a folder's state what does not hold for the messages that belong into it. What belongs changes with
    /// labels, without a new UID: without HIGHESTMODSEQ such a folder is listed whole each time.
    pub(crate) fn qualify(&self, folder: &RemoteFolder, state: &mut FolderState) {
        if filters(self.rule, folder) {
            state.highest_modseq = None;
        }
    }
}

/// What decides about the messages of one folder.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    rule: GmailLabels,
    folder: RemoteFolder,
    folders: Arc<[RemoteFolder]>,
}

impl Filter {
    /// Whether a message belongs into the folder. One whose labels were not told does: rather twice than lost.
    pub(crate) fn keeps(&self, items: &[Value], utf8: bool) -> bool {
        labels_of(items, utf8).is_none_or(|labels| belongs(self.rule, &self.folder, &labels, &self.folders))
    }

    /// The UID in a FETCH response of a message that belongs into the folder.
    pub(crate) fn kept_uid(&self, response: &Response, utf8: bool) -> Option<u32> {
        let items = crate::mailbox::fetch_items(response)?;
        let uid = crate::mailbox::uid_of(items)?;
        // A change of flags that nobody asked for tells no labels and no message.
        item(items, "X-GM-LABELS")?;
        self.keeps(items, utf8).then_some(uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::value;
    use GmailLabels::{Each, Once};

    fn folders() -> Vec<RemoteFolder> {
        use SpecialUse::{Archive, Drafts, Flagged, Inbox, Junk, Sent, Trash};
        [
            ("INBOX", Some(Inbox)),
            ("Clientes", None),
            ("Clientes/Añ", None),
            ("Obras", None),
            ("[Gmail]/E-mails enviados", Some(Sent)),
            ("[Gmail]/Rascunhos", Some(Drafts)),
            ("[Gmail]/Com estrela", Some(Flagged)),
            ("[Gmail]/Spam", Some(Junk)),
            ("[Gmail]/Lixeira", Some(Trash)),
            ("[Gmail]/Todos os e-mails", Some(Archive)),
        ]
        .map(|(path, special_use)| RemoteFolder {
            path: path.into(),
            native: path.to_owned(),
            special_use,
            selectable: true,
        })
        .into()
    }

    fn decided(rule: GmailLabels, folder: &str, labels: &[&str]) -> bool {
        let all = folders();
        let folder = all.iter().find(|f| f.native == folder).unwrap();
        belongs(rule, folder, &labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>(), &all)
    }

    #[test]
    fn each_label_is_a_folder_and_all_mail_holds_the_rest() {
        const ALL: &str = "[Gmail]/Todos os e-mails";
        for (folder, labels, expected) in [
            ("INBOX", &["\\Sent", "Obras"][..], true),
            ("Obras", &["\\Inbox"], true),
            ("[Gmail]/E-mails enviados", &["\\Inbox"], true),
            (ALL, &[], true),
            (ALL, &["\\Important", "\\Starred"], true),
            (ALL, &["a label that IMAP does not show"], true),
            (ALL, &["\\Muted", "[Gmail]"], true),
            (ALL, &["[Gmail]/Com estrela"], true),
            (ALL, &["\\Inbox"], false),
            (ALL, &["\\Important", "\\Sent"], false),
            (ALL, &["\\Draft"], false),
            (ALL, &["\\Drafts"], false),
            (ALL, &["Clientes/Añ"], false),
            ("[Gmail]/Spam", &["Obras"], true),
            ("[Gmail]/Lixeira", &["\\Inbox"], true),
        ] {
            assert_eq!(decided(Each, folder, labels), expected, "{folder} {labels:?}");
        }
    }

    #[test]
    fn once_means_the_first_of_its_folders() {
        // Every set of places, as each of them shows it: X-GM-LABELS leaves out the open folder's own label.
        let order: [(&str, &str); 6] = [
            ("INBOX", "\\Inbox"),
            ("[Gmail]/E-mails enviados", "\\Sent"),
            ("[Gmail]/Rascunhos", "\\Draft"),
            ("Clientes", "Clientes"),
            ("Clientes/Añ", "Clientes/Añ"),
            ("Obras", "Obras"),
        ];
        for set in 0..1_u32 << order.len() {
            let places: Vec<_> = (0..order.len()).filter(|n| set & (1 << n) != 0).map(|n| order[n]).collect();
            let mut holders = Vec::new();
            for (folder, own) in places.iter().copied().chain([("[Gmail]/Todos os e-mails", "")]) {
                let labels: Vec<&str> =
                    places.iter().map(|(_, l)| *l).filter(|l| *l != own).chain(["\\Important"]).collect();
                if decided(Once, folder, &labels) {
                    holders.push(folder);
                }
            }
            let first = places.first().map_or("[Gmail]/Todos os e-mails", |(folder, _)| *folder);
            assert_eq!(holders, [first], "{places:?}");
        }
        for folder in ["[Gmail]/Spam", "[Gmail]/Lixeira", "[Gmail]/Com estrela"] {
            assert!(decided(Once, folder, &["\\Inbox", "Obras"]), "{folder} keeps what it shows");
        }
    }

    #[test]
    fn labels_come_as_atoms_quoted_and_as_literals() {
        let read = |text: &str, utf8| labels_of(&value::parse(text.as_bytes()).unwrap(), utf8);
        let cases = [
            (r#"UID 1 X-GM-LABELS (\Inbox \Sent Important "Muy Importante")"#, false),
            (r#"X-GM-LABELS ("\\Inbox" "\\Sent" Important "Muy Importante") UID 1"#, false),
            (r#"X-GM-LABELS ("\\Inbox" "\\Sent" "Important" "Muy Importante")"#, true),
        ];
        for (text, utf8) in cases {
            let labels = read(text, utf8).unwrap();
            assert_eq!(labels, ["\\Inbox", "\\Sent", "Important", "Muy Importante"], "{text}");
        }
        assert_eq!(read("X-GM-LABELS (Clientes/A&APE- NIL)", false).unwrap(), ["Clientes/Añ", "NIL"]);
        assert_eq!(read("X-GM-LABELS (\"Clientes/Añ\")", true).unwrap(), ["Clientes/Añ"]);
        assert_eq!(read("X-GM-LABELS ()", false).unwrap(), [""; 0]);
        assert_eq!(read("UID 1 FLAGS ()", false), None);
    }
}
