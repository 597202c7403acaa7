//! Gmail's labels as Takeout writes them into each message (`X-Gmail-Labels`): in the account's language, with what is a
//! flag and what is a place in one list. A message is listed in each of its places, as Gmail shows it over IMAP.

use super::{flags::keyword_into, header::decode_words};
use crate::containers::names::Names;
use gatepost_contract::SpecialUse;
use gatepost_transfer::{Flags, FolderPath};

/// Where a message goes and how it is flagged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    /// At least one.
    pub places: Vec<Place>,
    /// `\Seen` unless it is unread, and so on.
    pub flags: Flags,
    /// Places beyond the bound, in which it is not listed.
    pub left_out: usize,
}

/// The most places that one message is listed in; Gmail itself shows a message under far fewer.
const MOST_PLACES: usize = 100;
/// The most labels that are looked at.
const MOST_LABELS: usize = 10_000;

/// A folder that a label stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Its path; a `/` in a label parts levels.
    pub path: FolderPath,
    /// Its use, where the label is one of Gmail's own.
    pub special_use: Option<SpecialUse>,
}

/// What one of Gmail's own labels means.
#[derive(Clone, Copy)]
enum Meaning {
    Place(&'static str, SpecialUse),
    /// It says that a message lies in no other place.
    Archived,
    Unread,
    Flag(&'static str),
    /// A view or a state that IMAP does not have.
    Nothing,
}

impl Labels {
    /// Reads the field's value.
    pub(crate) fn parse(value: &str) -> Self {
        let mut places = Vec::new();
        let mut flags = Flags::default();
        let mut unread = false;
        for label in split(&decode_words(value)).into_iter().take(MOST_LABELS) {
            match meaning(&label) {
                Some(Meaning::Place(name, special_use)) => {
                    places.push(Place { path: FolderPath::new([name]), special_use: Some(special_use) });
                    if special_use == SpecialUse::Drafts {
                        flags.insert("\\Draft");
                    }
                }
                Some(Meaning::Unread) => unread = true,
                Some(Meaning::Flag(flag)) => keyword_or_flag(&mut flags, flag),
                Some(Meaning::Archived | Meaning::Nothing) => {}
                None => {
                    let mut names = Names::default();
                    let parts = label.split('/').map(str::trim).filter(|l| !matches!(*l, "" | "." | "..")).take(100);
                    let levels: Vec<String> = parts.map(|level| names.level(level.as_bytes())).collect();
                    if !levels.is_empty() {
                        places.push(Place { path: FolderPath::new(levels), special_use: None });
                    }
                }
            }
        }
        if !unread {
            flags.insert("\\Seen");
        }
        // Spam and Trash are the only place of what lies there, whatever labels it still has.
        let alone = |place: &&Place| matches!(place.special_use, Some(SpecialUse::Junk | SpecialUse::Trash));
        if let Some(place) = places.iter().find(alone).cloned() {
            places = vec![place];
        }
        if places.is_empty() {
            let path = FolderPath::new(["Archive"]);
            places.push(Place { path, special_use: Some(SpecialUse::Archive) });
        }
        // Gmail's own places go before labels of people.
        places.sort_by(|a, b| (a.special_use.is_none(), a).cmp(&(b.special_use.is_none(), b)));
        places.dedup();
        let left_out = places.len().saturating_sub(MOST_PLACES);
        places.truncate(MOST_PLACES);
        places.sort();
        Self { places, flags, left_out }
    }
}

fn keyword_or_flag(flags: &mut Flags, flag: &str) {
    if flag.starts_with('\\') { flags.insert(flag) } else { keyword_into(flags, flag) }
}

/// Labels are parted by commas; one that holds a comma stands in quotes.
fn split(value: &str) -> Vec<String> {
    let mut labels = vec![String::new()];
    let mut quoted = false;
    for c in value.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => labels.push(String::new()),
            c => labels.last_mut().expect("there is always a label").push(c),
        }
    }
    labels.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}

/// Gmail's own labels in the languages that Takeout was seen in (English, Portuguese, Spanish, French, German, Italian).
fn meaning(label: &str) -> Option<Meaning> {
    use Meaning::{Archived, Flag, Nothing, Place, Unread};
    let label = label.to_lowercase();
    let category = ["category ", "categoria ", "categoría ", "catégorie ", "kategorie "];
    if category.iter().any(|word| label.starts_with(word)) || label.starts_with("categoria:") {
        return Some(Nothing);
    }
    Some(match label.as_str() {
        "inbox"
        | "caixa de entrada"
        | "recebidos"
        | "recibidos"
        | "bandeja de entrada"
        | "boîte de réception"
        | "posteingang"
        | "posta in arrivo" => Place("INBOX", SpecialUse::Inbox),
        "sent" | "sent mail" | "enviados" | "enviadas" | "e-mails enviados" | "itens enviados" | "messages envoyés"
        | "envoyés" | "gesendet" | "posta inviata" | "inviati" => Place("Sent", SpecialUse::Sent),
        "draft" | "drafts" | "rascunho" | "rascunhos" | "borrador" | "borradores" | "brouillon" | "brouillons"
        | "entwurf" | "entwürfe" | "bozza" | "bozze" => Place("Drafts", SpecialUse::Drafts),
        "spam" | "lixo eletrônico" => Place("Spam", SpecialUse::Junk),
        "trash" | "bin" | "lixeira" | "lixo" | "papelera" | "corbeille" | "papierkorb" | "cestino" => {
            Place("Trash", SpecialUse::Trash)
        }
        "archived" | "arquivado" | "arquivados" | "arquivada" | "arquivadas" | "archivado" | "archivados"
        | "archivé" | "messages archivés" | "archiviert" | "archiviati" | "all mail" | "todos os e-mails" => Archived,
        "unread" | "não lida" | "não lidas" | "não lido" | "não lidos" | "no leído" | "no leídos" | "non lu"
        | "non lus" | "messages non lus" | "ungelesen" | "da leggere" | "non letti" => Unread,
        "starred"
        | "com estrela"
        | "marcados com estrela"
        | "marcadas com estrela"
        | "destacado"
        | "destacados"
        | "suivis"
        | "avec étoile"
        | "markiert"
        | "speciali" => Flag("\\Flagged"),
        "important" | "importante" | "importantes" | "wichtig" | "importanti" => Flag("$Important"),
        "opened" | "aberta" | "abertas" | "aberto" | "abertos" | "abierto" | "abiertos" | "ouvert" | "geöffnet"
        | "aperti" | "imap_$notjunk" | "imap_notjunk" | "imap_$junk" | "imap_junk" => Nothing,
        "imap_$forwarded" => Flag("$Forwarded"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_places_and_flags() {
        let cases = [
            ("Inbox,Unread", "INBOX", ""),
            ("Inbox,Opened,Starred,Work/Clients", "INBOX Work/Clients", "\\Flagged \\Seen"),
            ("Archived,Work", "Work", "\\Seen"),
            ("Archived,Unread", "Archive", ""),
            ("Sent,Inbox,\"a, b\"", "INBOX Sent a, b", "\\Seen"),
            ("Trash,Work", "Trash", "\\Seen"),
            ("Draft", "Drafts", "\\Draft \\Seen"),
            (
                "=?UTF-8?Q?Caixa_de_entrada,N=C3=A3o_lidas,Categoria:_Promo=C3=A7=C3=B5es,Fam=C3=ADlia?=",
                "Família INBOX",
                "",
            ),
            ("=?UTF-8?Q?Com_estrela,Arquivados,Importante?=", "Archive", "$Important \\Flagged \\Seen"),
            ("", "Archive", "\\Seen"),
            ("Work,Work,/", "Work", "\\Seen"),
        ];
        for (value, places, flags) in cases {
            let labels = Labels::parse(value);
            let mut got: Vec<String> = labels.places.iter().map(|p| p.path.to_string()).collect();
            got.sort();
            assert_eq!(got.join(" "), places, "{value}");
            assert_eq!(labels.flags, Flags::from(flags), "{value}");
        }
    }

    #[test]
    fn a_message_of_very_many_labels_is_listed_in_a_hundred_places() {
        let value: Vec<String> = (0..500).map(|n| format!("A{n}")).chain(["Inbox".to_owned()]).collect();
        let labels = Labels::parse(&value.join(","));
        assert_eq!((labels.places.len(), labels.left_out), (100, 401));
        assert!(labels.places.iter().any(|place| place.path.is_inbox()));
    }
}
