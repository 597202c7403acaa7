//! The names by which folders without an attribute are known: a table of data, and how a path is looked up in it.
//!
//! Names are compared without regard to case, accents and outer spaces, so that `Itens Excluidos` of a client that
//! knew no accents is found by `Itens Excluídos`. Knows nothing of a particular account.

use super::fold::bare;
use crate::FolderPath;
use gatepost_contract::SpecialUse::{self, Archive, Drafts, Junk, Sent, Trash};
use std::{collections::HashMap, sync::LazyLock};

/// The uses for which names are known, with the English name that a folder gets where the destination has none.
pub(super) const STANDARD: [(SpecialUse, &str); 5] =
    [(Sent, "Sent"), (Drafts, "Drafts"), (Trash, "Trash"), (Junk, "Junk"), (Archive, "Archive")];

/// Levels below which the known names are looked for too: servers that keep everything below INBOX, and Gmail's.
const ROOTS: [&str; 3] = ["inbox", "[gmail]", "[google mail]"];

#[rustfmt::skip]
const KNOWN: &[(SpecialUse, &[&str])] = &[
    // The names that RFC 6154's attributes are usually set on: Dovecot's 15-mailboxes.conf, Cyrus's
    // autocreate_inbox_folders, cPanel and Plesk.
    (Sent, &["Sent"]), (Drafts, &["Drafts"]), (Trash, &["Trash"]), (Junk, &["Junk", "Spam"]), (Archive, &["Archive"]),
    // cPanel and Plesk: names of webmail programs (Horde's sent-mail, SquirrelMail's) that stay in old accounts.
    (Sent, &["sent-mail"]), (Archive, &["Archived"]), (Drafts, &["Draft"]), (Trash, &["Deleted"]),
    // Outlook, Outlook.com and Exchange, English.
    (Sent, &["Sent Items"]), (Trash, &["Deleted Items"]), (Junk, &["Junk E-mail", "Junk Email"]),
    // Apple Mail, iCloud.
    (Sent, &["Sent Messages"]), (Trash, &["Deleted Messages"]), (Junk, &["Junk Mail"]),
    // Gmail, English (US and UK), and Yahoo's Bulk Mail.
    (Sent, &["Sent Mail"]), (Trash, &["Bin"]), (Junk, &["Bulk Mail", "Bulk"]),
    // Thunderbird, English.
    (Archive, &["Archives"]),

    // Outlook and Exchange, Brazilian Portuguese.
    (Sent, &["Itens Enviados"]), (Drafts, &["Rascunhos"]), (Trash, &["Itens Excluídos"]),
    (Junk, &["Lixo Eletrônico"]), (Archive, &["Arquivo Morto"]),
    // Gmail, Brazilian Portuguese.
    (Sent, &["E-mails enviados", "Emails enviados"]), (Trash, &["Lixeira"]),
    // Thunderbird, Roundcube and Apple Mail, Brazilian Portuguese.
    (Sent, &["Enviados", "Enviadas", "Mensagens enviadas", "E-mail enviado", "Enviado"]), (Drafts, &["Rascunho"]),
    (Trash, &["Excluídos", "Mensagens excluídas", "Mensagens apagadas"]),
    (Archive, &["Arquivos", "Arquivadas", "Arquivados"]),
    // Outlook, Portuguese of Portugal, in the spelling of today and that before 2009.
    (Trash, &["Itens Eliminados"]),
    (Junk, &["Lixo Electrónico", "Correio Eletrónico de Lixo", "Correio não solicitado", "E-mail de Lixo"]),
    // Gmail, Thunderbird and Roundcube, Portuguese of Portugal.
    (Sent, &["Correio enviado"]), (Trash, &["Lixo", "Reciclagem", "Eliminados", "Eliminadas"]),
    (Archive, &["Arquivo", "Arquivo de correio"]),

    // Outlook and Exchange, Spanish.
    (Sent, &["Elementos enviados"]), (Drafts, &["Borradores"]), (Trash, &["Elementos eliminados"]),
    (Junk, &["Correo no deseado", "Correo electrónico no deseado"]), (Archive, &["Archivo"]),
    // Gmail, Thunderbird, Roundcube and Apple Mail, Spanish.
    (Sent, &["Correo enviado", "Mensajes enviados"]), (Drafts, &["Borrador"]),
    (Trash, &["Papelera", "Papelera de reciclaje", "Mensajes eliminados"]),
    (Junk, &["Correo basura", "No deseado", "No deseados"]),
    (Archive, &["Archivos", "Archivados", "Archivado"]),

    // Outlook and Exchange, German.
    (Sent, &["Gesendete Elemente"]), (Drafts, &["Entwürfe"]), (Trash, &["Gelöschte Elemente"]),
    (Junk, &["Junk-E-Mail"]),
    (Archive, &["Archiv"]),
    // Gmail, Thunderbird, Roundcube, GMX, T-Online and Apple Mail, German.
    (Sent, &["Gesendet", "Gesendete Objekte", "Gesendete Nachrichten", "Gesendete E-Mails"]), (Drafts, &["Entwurf"]),
    (Trash, &["Papierkorb", "Gelöscht", "Gelöschte Objekte", "Gelöschte Nachrichten"]),
    (Junk, &["Spamverdacht", "Unerwünscht", "Unerwünschte Werbung", "Spam-Verdacht"]),
    (Archive, &["Archiviert"]),

    // Outlook and Exchange, French.
    (Sent, &["Éléments envoyés"]), (Drafts, &["Brouillons"]), (Trash, &["Éléments supprimés"]),
    (Junk, &["Courrier indésirable"]),
    // Gmail, Thunderbird, Roundcube, Orange and Apple Mail, French.
    (Sent, &["Envoyés", "Envoyé", "Messages envoyés", "Courrier envoyé", "Objets envoyés", "E-mails envoyés"]),
    (Drafts, &["Brouillon"]), (Trash, &["Corbeille", "Messages supprimés", "Supprimés", "Poubelle"]),
    (Junk, &["Indésirables", "Courriers indésirables", "Messages indésirables", "Pourriel"]),
    (Archive, &["Archivés", "Messages archivés"]),
];

/// Gmail's views, in the five languages: below `[Gmail]` or `[Google Mail]` only. The words are those of Gmail's
/// own interface; `\Important` (RFC 8457) has no place in [`SpecialUse`].
const VIEWS: &[&str] = &[
    // All Mail
    "All Mail",
    "Todos os e-mails",
    "Todo o correio",
    "Todos",
    "Alle Nachrichten",
    "Tous les messages",
    // Starred
    "Starred",
    "Com estrela",
    "Destacados",
    "Markiert",
    "Suivis",
    "Messages suivis",
    // Important
    "Important",
    "Importante",
    "Importantes",
    "Wichtig",
];

static USES: LazyLock<HashMap<String, SpecialUse>> =
    LazyLock::new(|| KNOWN.iter().flat_map(|(purpose, names)| names.iter().map(|n| (bare(n), *purpose))).collect());

/// What a path is known to be for, by its name alone.
pub(super) fn known(path: &FolderPath) -> Option<SpecialUse> {
    match path.levels() {
        [name] => USES.get(&bare(name)).copied(),
        [root, name] if ROOTS.contains(&bare(root).as_str()) => USES.get(&bare(name)).copied(),
        _ => None,
    }
}

/// Whether a path is one below which known names are looked for.
pub(super) fn is_root(path: &FolderPath) -> bool {
    matches!(path.levels(), [root] if ROOTS.contains(&bare(root).as_str()))
}

/// Whether a path is one of Gmail's own folders.
pub(super) fn is_of_gmail(path: &FolderPath) -> bool {
    matches!(path.levels(), [root, _] if ["[gmail]", "[google mail]"].contains(&bare(root).as_str()))
}

/// Whether a path is one of Gmail's views by its name alone.
pub(super) fn is_view(path: &FolderPath) -> bool {
    match path.levels() {
        [_, name] => is_of_gmail(path) && VIEWS.iter().any(|view| bare(view) == bare(name)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_uses() {
        let mut seen: HashMap<String, SpecialUse> = HashMap::new();
        for (purpose, names) in KNOWN {
            for name in *names {
                let before = seen.insert(bare(name), *purpose);
                assert!(before.is_none_or(|b| b == *purpose), "{name} is {before:?} and {purpose:?}");
            }
        }
    }

    #[test]
    fn names_are_known_in_each_language_and_from_each_provider() {
        for (path, purpose) in [
            ("Sent", Sent),
            ("sent items", Sent),
            ("Sent Messages", Sent),
            ("INBOX/Sent", Sent),
            ("INBOX/sent-mail", Sent),
            ("[Gmail]/Sent Mail", Sent),
            ("[Google Mail]/Sent Mail", Sent),
            ("[Gmail]/E-mails enviados", Sent),
            ("[Gmail]/Correio enviado", Sent),
            ("[Gmail]/Gesendet", Sent),
            ("[Gmail]/Messages envoyés", Sent),
            ("[Gmail]/Enviados", Sent),
            ("Itens Enviados", Sent),
            ("Elementos enviados", Sent),
            ("Gesendete Elemente", Sent),
            ("Éléments envoyés", Sent),
            ("E\u{301}le\u{301}ments envoye\u{301}s", Sent),
            ("ELEMENTS ENVOYES", Sent),
            ("  Enviadas ", Sent),
            ("Rascunhos", Drafts),
            ("Borradores", Drafts),
            ("Entwürfe", Drafts),
            ("Entwu\u{308}rfe", Drafts),
            ("Brouillons", Drafts),
            ("[Gmail]/Rascunhos", Drafts),
            ("Deleted Items", Trash),
            ("Deleted Messages", Trash),
            ("[Gmail]/Bin", Trash),
            ("Lixeira", Trash),
            ("Lixo", Trash),
            ("Itens Excluídos", Trash),
            ("Itens Excluidos", Trash),
            ("Itens Eliminados", Trash),
            ("Papelera", Trash),
            ("Papierkorb", Trash),
            ("Gelöschte Objekte", Trash),
            ("Corbeille", Trash),
            ("Éléments supprimés", Trash),
            ("Spam", Junk),
            ("INBOX/spam", Junk),
            ("Junk E-mail", Junk),
            ("Junk Email", Junk),
            ("Lixo Eletrônico", Junk),
            ("Lixo Eletrónico", Junk),
            ("Correo no deseado", Junk),
            ("Junk-E-Mail", Junk),
            ("Courrier indésirable", Junk),
            ("Archives", Archive),
            ("Arquivo", Archive),
            ("Archivo", Archive),
            ("Archiv", Archive),
        ] {
            assert_eq!(known(&FolderPath::from(path)), Some(purpose), "{path}");
        }
    }

    #[test]
    fn a_name_deeper_in_the_tree_or_a_likeness_means_nothing() {
        for path in ["Clientes/Enviados", "INBOX/2019/Sent", "Sent 2019", "Projetos", "INBOX", "[Gmail]", ""] {
            assert_eq!(known(&FolderPath::from(path)), None, "{path}");
        }
        assert!(is_view(&FolderPath::from("[Gmail]/Todos os e-mails")));
        assert!(is_view(&FolderPath::from("[Google Mail]/All Mail")));
        assert!(!is_view(&FolderPath::from("All Mail")));
        assert!(!is_view(&FolderPath::from("[Gmail]/Clientes")));
    }
}
