//! Exports as Zimbra and Carbonio write them (`fmt=tgz`), after a real one of Zimbra 8.8.

use super::tar::Tar;
use base64::Engine as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;

/// After so many items a folder goes on in another directory.
const SPLIT: usize = 499;

/// An export in memory.
pub struct Zimbra {
    tar: Tar,
    next: u64,
    /// How many items a folder has, and its id.
    folders: HashMap<String, (usize, u64)>,
    metas: bool,
}

/// A message of an export.
#[derive(Clone, Debug)]
pub struct Exported<'a> {
    /// Its folder: `/Inbox/Clientes`.
    pub folder: &'a str,
    /// When it was received, in seconds since 1970.
    pub date: u64,
    /// `u` unread, `f` flagged, `r` answered, `w` forwarded, `d` draft, `x` deleted, `s` sent.
    pub flags: &'a str,
    /// Its tags, as they stand there: joined by colons, escaped with backslashes.
    pub tags: &'a str,
    /// Its subject, for its file's name.
    pub subject: &'a str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Zimbra {
    /// A whole export, with a meta of each folder that every mailbox has.
    #[must_use]
    pub fn new() -> Self {
        let mut export = Self { tar: Tar::new(), next: 257, folders: HashMap::new(), metas: true };
        let usual =
            [("Inbox", 2), ("Trash", 3), ("Junk", 4), ("Sent", 5), ("Drafts", 6), ("Contacts", 7), ("Calendar", 10)];
        for (name, id) in usual {
            export.folders.insert(format!("/{name}"), (0, id));
            export = export.folder_meta(&format!("/{name}"), id);
        }
        export
    }

    /// An export of a search or of a part: without metas of folders.
    #[must_use]
    pub fn partial() -> Self {
        Self { tar: Tar::new(), next: 257, folders: HashMap::new(), metas: false }
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn folder_meta(self, path: &str, id: u64) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let meta = json!({
            "date": 1_559_233_855, "Path": path, "metadata": "d1:ai1e1:vi10ee", "Ver": 10, "FlagStr": "", "unread": 0,
            "subject": name, "flags": 0, "type": 1, "size": 0, "TagNames": "", "parent_id": 1, "name": name, "id": id,
            "folder_id": 1, "imap_id": -1
        });
        let file = format!("{id:010}-{}.meta", file_name(name));
        let Self { tar, next, folders, metas } = self;
        Self { tar: tar.entry(file, meta.to_string().as_bytes(), "folder", 1_559_233_855), next, folders, metas }
    }

    /// The directory of a folder's next item: `Inbox`, and `Inbox!1` after 499 of them.
    fn place(&mut self, path: &str) -> (String, u64) {
        if !self.folders.contains_key(path) {
            let id = self.id();
            self.folders.insert(path.to_owned(), (0, id));
            if self.metas {
                let whole = std::mem::replace(self, Self::partial());
                *self = whole.folder_meta(path, id);
            }
        }
        let (count, id) = self.folders.get_mut(path).expect("it was put there");
        let part = *count / SPLIT;
        *count += 1;
        let bare = path.trim_start_matches('/');
        (if part == 0 { bare.to_owned() } else { format!("{bare}!{part}") }, *id)
    }

    /// A message: its meta first, then its bytes.
    #[must_use]
    pub fn message(mut self, message: &Exported<'_>) -> Self {
        let (directory, folder) = self.place(message.folder);
        let id = self.id();
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&message.bytes)).replace('/', ",");
        let meta = json!({
            "date": message.date, "Path": format!("{}/", message.folder), "metadata": "d1:vi10ee", "Ver": 10,
            "FlagStr": message.flags, "unread": u8::from(message.flags.contains('u')), "subject": message.subject,
            "flags": 0, "type": 5, "blob_digest": digest, "size": message.bytes.len(), "sender": "ana@example.test",
            "TagNames": message.tags, "parent_id": -1, "id": id, "folder_id": folder, "imap_id": id
        });
        let name = format!("{directory}/{id:010}-{}.eml", file_name(message.subject));
        self.tar = self.tar.entry(format!("{name}.meta"), meta.to_string().as_bytes(), "message", message.date).entry(
            name,
            &message.bytes,
            "message",
            message.date,
        );
        self
    }

    /// A message whose blob the server could not read: spaces in its place, and an empty `.err` behind it.
    #[must_use]
    pub fn broken(mut self, message: &Exported<'_>) -> Self {
        let (directory, folder) = self.place(message.folder);
        let id = self.id();
        let meta = json!({
            "date": message.date, "Path": format!("{}/", message.folder), "FlagStr": message.flags, "type": 5,
            "blob_digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "size": message.bytes.len() + 100,
            "TagNames": "", "id": id, "folder_id": folder
        });
        let name = format!("{directory}/{id:010}-{}.eml", file_name(message.subject));
        let padded = [message.bytes.as_slice(), &[b' '; 100]].concat();
        self.tar = self
            .tar
            .entry(format!("{name}.meta"), meta.to_string().as_bytes(), "message", message.date)
            .entry(&name, &padded, "message", message.date)
            .entry(format!("{name}.err"), b"", "message", message.date);
        self
    }

    /// A message without a meta, as a folder of mail packed by hand has it.
    #[must_use]
    pub fn bare(mut self, path: &str, bytes: &[u8], changed: u64) -> Self {
        self.tar = self.tar.entry(path, bytes, "", changed);
        self
    }

    /// A contact: only a meta, with the fields in Zimbra's own coding.
    #[must_use]
    pub fn contact(mut self, folder: &str, name: &str, address: &str) -> Self {
        let (directory, folder_id) = self.place(folder);
        let id = self.id();
        let field = |text: &str| format!("{}:{text}", text.len());
        let fields = [field("email"), field(address), field("fullName"), field(name)].concat();
        let meta = json!({
            "date": 1_562_075_807, "Path": format!("{folder}/"), "metadata": format!("d3:fldd{fields}e1:vi10ee"),
            "Ver": 10, "FlagStr": "", "unread": 0, "flags": 0, "type": 6, "size": 0, "sender": name, "TagNames": "",
            "parent_id": -1, "id": id, "folder_id": folder_id, "imap_id": id
        });
        let file = format!("{directory}/{}.meta", file_name(name));
        self.tar = self.tar.entry(file, meta.to_string().as_bytes(), "contact", 1_562_075_807);
        self
    }

    /// Its bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.tar.finish_gz()
    }
}

impl Default for Zimbra {
    fn default() -> Self {
        Self::new()
    }
}

/// As Zimbra cuts and cleans what becomes a file's name.
fn file_name(text: &str) -> String {
    let clean = |char: char| if "/:*?\"<>|".contains(char) { '_' } else { char };
    text.chars().take(120).map(clean).collect()
}
