//! What a tree looks like as a whole, before its mail is read: which of its directories are Maildirs, and which levels
//! at its top are wrapping and no folder.

use super::sniff;
use crate::ArchiveError;
use crate::containers::{Entry, Event, Tree};
use crate::formats::maildir;
use std::collections::{BTreeMap, BTreeSet};

/// More directories than this are not compared: the tree is then taken as it stands.
const MOST: usize = 200_000;
/// More Maildirs than this are refused.
const MOST_MAILDIRS: usize = 50_000;
/// Bytes that the names of each kind may take: of what is compared, of Maildirs, of keywords.
const MOST_BYTES: usize = 16 << 20;

/// What a walk over the names found.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Directories with a `cur` in them.
    maildirs: BTreeSet<Vec<String>>,
    /// Their keywords.
    keywords: BTreeMap<Vec<String>, Vec<(u8, String)>>,
    /// Levels that stand in front of every folder.
    prefix: Vec<String>,
    /// Whether files are named as messages: then an empty directory is a folder too.
    pub named: bool,
    /// Files beside which Thunderbird keeps an index (`.msf`) or a folder of folders (`.sbd`).
    indexed: BTreeSet<Vec<String>>,
    /// Whether there are more of these than are held.
    crowded: bool,
    /// Files beside which Thunderbird keeps copies of their messages (`.mozmsgs`).
    copied: BTreeSet<Vec<String>>,
    /// Bytes that the names of Maildirs take, those of keywords, and those of files that have something beside them.
    maildir_bytes: usize,
    keyword_bytes: usize,
    beside_bytes: usize,
}

impl Shape {
    /// Goes through the names of a tree.
    pub(super) fn of(
        tree: &mut dyn Tree,
        alive: &mut dyn FnMut() -> Result<(), ArchiveError>,
    ) -> Result<Self, ArchiveError> {
        let mut shape = Self::default();
        let mut children: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
        let mut with_files: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut held = 0;
        tree.walk(&mut |event| {
            let (levels, entry) = match &event {
                Event::Directory(levels) => (levels, None),
                Event::File(entry) => (&entry.levels, Some(entry)),
                _ => return alive(),
            };
            shape.look(levels, entry)?;
            if children.len() < MOST && held < MOST_BYTES {
                for n in 0..levels.len() {
                    let (above, name) = (&levels[..n], &levels[n]);
                    match children.get_mut(above) {
                        Some(names) if names.contains(name) => {}
                        Some(names) => {
                            held += weight(std::slice::from_ref(name));
                            names.insert(name.clone());
                        }
                        None => {
                            held += weight(&levels[..=n]);
                            children.insert(above.to_vec(), BTreeSet::from([name.clone()]));
                        }
                    }
                }
                if let Some(entry) = entry.filter(|e| !sniff::is_ignored(&e.name)) {
                    if is_single(&entry.name) && !with_files.contains(levels) {
                        held += weight(levels);
                        with_files.insert(levels.clone());
                    }
                    let stem = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(stem, _)| stem);
                    if is_standard(stem) {
                        children.entry(levels.clone()).or_default().insert(stem.to_owned());
                    }
                }
            }
            alive()
        })?;
        if !shape.copied.is_empty() {
            shape.only_copies(tree, alive)?;
        }
        shape.prefix =
            if shape.maildirs.is_empty() { wrapping(&children, &with_files) } else { common(&shape.maildirs) };
        Ok(shape)
    }

    fn look(&mut self, levels: &[String], entry: Option<&Entry>) -> Result<(), ArchiveError> {
        if let Some((last, base)) = levels.split_last()
            && last == "cur"
            && !self.maildirs.contains(base)
        {
            self.maildir_bytes += weight(base);
            if self.maildirs.len() >= MOST_MAILDIRS || self.maildir_bytes > MOST_BYTES {
                return Err(ArchiveError::TooMuch(format!(
                    "It has more than {MOST_MAILDIRS} Maildirs, or their paths take more than {MOST_BYTES} bytes. Split \
                     it into several."
                )));
            }
            self.maildirs.insert(base.to_vec());
        }
        for (n, level) in levels.iter().enumerate() {
            if let Some(stem) = level.strip_suffix(".sbd") {
                self.beside(&levels[..n], stem, true);
            } else if let Some(stem) = level.strip_suffix(".mozmsgs") {
                self.beside(&levels[..n], stem, false);
            }
        }
        let Some(entry) = entry else { return Ok(()) };
        if let Some(stem) = entry.name.strip_suffix(".msf") {
            self.beside(levels, stem, true);
        }
        if entry.name == "dovecot-keywords" {
            let keywords = maildir::keywords(&entry.body.head(64 * 1024)?);
            self.keyword_bytes += weight(levels) + keywords.iter().map(|(_, name)| name.len() + LEVEL).sum::<usize>();
            if self.keyword_bytes > MOST_BYTES {
                return Err(ArchiveError::TooMuch(format!(
                    "The keywords of its Maildirs take more than {MOST_BYTES} bytes, which is the bound. Split it into \
                     several."
                )));
            }
            self.keywords.insert(levels.to_vec(), keywords);
        }
        self.named |= matches!(sniff::ending(&entry.name).as_str(), "eml" | "msg");
        Ok(())
    }

    /// Notes a file that has an index or copies beside it, whether or not it is there itself.
    fn beside(&mut self, levels: &[String], stem: &str, index: bool) {
        let path = joined(levels, stem);
        let known = if index { &mut self.indexed } else { &mut self.copied };
        if known.contains(&path) {
            return;
        }
        self.beside_bytes += weight(&path);
        if self.beside_bytes <= MOST_BYTES {
            known.insert(path);
        } else {
            self.crowded = true;
        }
    }

    /// Keeps those of the files with copies that are there: other copies are all that there is of their messages.
    fn only_copies(
        &mut self,
        tree: &mut dyn Tree,
        alive: &mut dyn FnMut() -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let noted = std::mem::take(&mut self.copied);
        tree.walk(&mut |event| {
            if let Event::File(entry) = &event
                && entry.body.len() > 0
            {
                let path = joined(&entry.levels, &entry.name);
                if noted.contains(&path) {
                    self.copied.insert(path);
                }
            }
            alive()
        })
    }

    /// Whether Thunderbird's index or a folder of its folders stands beside a file: that is an mbox then.
    pub(super) fn is_indexed(&self, levels: &[String], name: &str) -> bool {
        self.crowded && !name.contains('.') || self.indexed.contains(&joined(levels, name))
    }

    /// Whether a file is the copy of a message, for a search, and the message is in an mbox that is there.
    pub(super) fn is_copy(&self, levels: &[String], name: &str) -> bool {
        !self.copied.is_empty()
            && matches!(sniff::ending(name).as_str(), "wdseml" | "mozeml")
            && levels.split_last().is_some_and(|(last, above)| {
                last.strip_suffix(".mozmsgs").is_some_and(|stem| self.copied.contains(&joined(above, stem)))
            })
    }

    /// The Maildir that a file or directory belongs to, where it lies in one's `cur` or `new`.
    pub(super) fn maildir<'a>(&self, levels: &'a [String]) -> Option<&'a [String]> {
        let (last, base) = levels.split_last()?;
        (matches!(last.as_str(), "cur" | "new") && self.maildirs.contains(base)).then_some(base)
    }

    /// Whether a directory is a Maildir's `tmp`: what lies there was never delivered.
    pub(super) fn is_undelivered(&self, levels: &[String]) -> bool {
        levels.split_last().is_some_and(|(last, base)| last == "tmp" && self.maildirs.contains(base))
    }

    /// Whether a file is one that a server of Maildirs answers with while somebody is away: nobody's mail.
    pub(super) fn is_answer(&self, levels: &[String], name: &str) -> bool {
        let answers =
            levels.split_last().is_some_and(|(last, base)| last == "autoresponses" && self.maildirs.contains(base));
        // It lies in the Maildir, or in the home above it.
        answers || self.is_maildir() && matches!(name, "vacation.msg" | ".vacation.msg")
    }

    /// The keywords of a Maildir.
    pub(super) fn keywords(&self, base: &[String]) -> &[(u8, String)] {
        self.keywords.get(base).map_or(&[], Vec::as_slice)
    }

    /// The levels without the wrapping in front.
    pub(super) fn below<'a>(&self, levels: &'a [String]) -> &'a [String] {
        levels.strip_prefix(self.prefix.as_slice()).unwrap_or(levels)
    }

    /// Whether it holds Maildirs.
    pub(super) fn is_maildir(&self) -> bool {
        !self.maildirs.is_empty()
    }
}

/// The path of a file.
fn joined(levels: &[String], name: &str) -> Vec<String> {
    levels.iter().cloned().chain([name.to_owned()]).collect()
}

/// What a level costs beside its name, in bytes.
const LEVEL: usize = 32;

/// What holding a path costs, in bytes.
fn weight(levels: &[String]) -> usize {
    levels.iter().map(|level| level.len() + LEVEL).sum::<usize>() + LEVEL
}

/// The directory that all Maildirs lie in, which is one itself where it has an INBOX.
fn common(maildirs: &BTreeSet<Vec<String>>) -> Vec<String> {
    let Some(first) = maildirs.first() else { return Vec::new() };
    let shared = |other: &Vec<String>, n: usize| first.iter().zip(other).take(n).take_while(|(a, b)| a == b).count();
    let depth = maildirs.iter().fold(first.len(), |n, other| shared(other, n));
    // One folder alone is the account's INBOX unless its name says otherwise.
    let alone = maildirs.len() == 1 && first.last().is_some_and(|name| name.starts_with('.') || is_standard(name));
    first[..if alone { depth.saturating_sub(1) } else { depth }].to_vec()
}

/// The single directories at the top that hold an account's folders: `ana/` around `Inbox` and `Sent`,
/// `Mail/Local Folders/` around Thunderbird's, `Takeout/Mail/` around Google's.
fn wrapping(children: &BTreeMap<Vec<String>, BTreeSet<String>>, with_files: &BTreeSet<Vec<String>>) -> Vec<String> {
    let of = |place: &Vec<String>| children.get(place);
    let takeout = vec!["Takeout".to_owned()];
    // Google's own page lies beside the mail.
    if of(&Vec::new()).is_some_and(|names| names.contains("Takeout"))
        && let Some(names) = of(&takeout)
        && let Some(mail) = ["Mail", "E-mail", "Correo", "Gmail"].iter().find(|name| names.contains(**name))
    {
        return vec![takeout[0].clone(), (*mail).to_owned()];
    }
    let mut place: Vec<String> = Vec::new();
    while let Some(names) = of(&place)
        && !with_files.contains(&place)
    {
        if names.iter().any(|name| is_standard(name)) {
            return place;
        }
        let (1, Some(only)) = (names.len(), names.first()) else { break };
        place.push(only.clone());
    }
    Vec::new()
}

/// Whether a file is named as a single message: the directory around it is a folder then.
fn is_single(name: &str) -> bool {
    matches!(sniff::ending(name).as_str(), "eml" | "emlx" | "msg")
        || name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Whether a name is one of the usual folders'.
fn is_standard(name: &str) -> bool {
    const NAMES: [&str; 30] = [
        "inbox",
        "sent",
        "sent items",
        "sent mail",
        "sent messages",
        "drafts",
        "trash",
        "deleted items",
        "deleted messages",
        "junk",
        "junk e-mail",
        "spam",
        "archive",
        "outbox",
        "caixa de entrada",
        "entrada",
        "enviados",
        "itens enviados",
        "e-mails enviados",
        "mensagens enviadas",
        "rascunhos",
        "lixeira",
        "itens excluídos",
        "itens eliminados",
        "lixo eletrônico",
        "arquivo morto",
        "caixa de saída",
        "posteingang",
        "bandeja de entrada",
        "boîte de réception",
    ];
    let name = name.to_lowercase();
    let name = name.trim_end_matches(".mbox").trim_end_matches(".sbd");
    NAMES.contains(&name)
}
