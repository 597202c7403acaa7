//! The top layer: the store, its folders and its items (MS-PST section 2.4).

use super::encode::checksum;
use super::folder::{Folder, FolderId, Role};
use super::item::{Attachment, Content, Item};
use super::ltp::{Column, Large, Row, kinds, properties, table};
use super::names::Names;
use super::ndb::{Encoding, Layout, Ndb, Subnode};
use super::value::{Name, Texts, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Cursor, Seek, Write};
use std::path::Path;

/// How a store's folders begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Tree {
    /// As in a PST: an entry id names the folder above all of the user's.
    #[default]
    Store,
    /// As in an OST: `Root - Mailbox/IPM_SUBTREE`, and no entry id that names it.
    Offline,
}

/// How a file is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// How wide its ids are and how large its pages.
    pub layout: Layout,
    /// How its data is encoded.
    pub encoding: Encoding,
    /// How its folders begin.
    pub tree: Tree,
    /// The store's name.
    pub name: String,
    /// A password: a checksum of it, nothing more (PidTagPstPassword).
    pub password: Option<String>,
    /// The code page of texts in the ANSI layout: 1250 to 1252, 932, 936 or 65001.
    pub code_page: u16,
    /// Whether blocks are compressed, where the layout allows it.
    pub compress: bool,
    /// The most entries of a page of the two B-trees: few make deep trees of little data.
    pub entries_per_page: usize,
    /// Whether it has allocation maps, which only writers need. A file without them is small.
    pub maps: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            layout: Layout::Unicode,
            encoding: Encoding::Permute,
            tree: Tree::Store,
            name: "Outlook data file".to_owned(),
            password: None,
            code_page: 1252,
            compress: true,
            entries_per_page: usize::MAX / 32,
            maps: true,
        }
    }
}

/// Tables' columns (MS-PST 2.4.4.4, 2.4.4.5, 2.4.5.3.1, 2.4.6.1.1).
const HIERARCHY: [Column; 4] =
    [(0x3001, kinds::TEXT), (0x3602, kinds::INT), (0x3603, kinds::INT), (0x360A, kinds::BOOL)];
const RECEIVE_FOLDERS: [Column; 2] = [(0x001A, kinds::TEXT), (0x6605, kinds::INT)];
const CONTENTS: [Column; 10] = [
    (0x0017, kinds::INT),
    (0x001A, kinds::TEXT),
    (0x0037, kinds::TEXT),
    (0x0039, kinds::TIME),
    (0x0042, kinds::TEXT),
    (0x0E04, kinds::TEXT),
    (0x0E06, kinds::TIME),
    (0x0E07, kinds::INT),
    (0x0E08, kinds::INT),
    (0x3008, kinds::TIME),
];
const ASSOCIATED: [Column; 3] = [(0x001A, kinds::TEXT), (0x0E07, kinds::INT), (0x3001, kinds::TEXT)];
const RECIPIENTS: [Column; 6] = [
    (0x0C15, kinds::INT),
    (0x0FFE, kinds::INT),
    (0x3001, kinds::TEXT),
    (0x3002, kinds::TEXT),
    (0x3003, kinds::TEXT),
    (0x39FE, kinds::TEXT),
];
const ATTACHMENTS: [Column; 4] =
    [(0x0E20, kinds::INT), (0x3704, kinds::TEXT), (0x3705, kinds::INT), (0x370B, kinds::INT)];

const ROOT_FOLDER: u32 = 0x122;
const TOP_FOLDER: u32 = 0x8022;
const SEARCH_ROOT: u32 = 0x8042;
const DELETED_ITEMS: u32 = 0x8062;
const RECORD_KEY: [u8; 16] = *b"gatepost-testkit";

/// A file that is being written.
pub struct Pst<W: Write + Seek> {
    ndb: Ndb<W>,
    options: Options,
    texts: Texts,
    names: Names,
    folders: Vec<Folder>,
    top: FolderId,
    deleted: FolderId,
}

impl Pst<BufWriter<File>> {
    /// Begins a new file.
    ///
    /// # Errors
    /// Where it cannot be created.
    pub fn create(path: &Path, options: Options) -> io::Result<Self> {
        Ok(Self::new(BufWriter::with_capacity(1 << 20, File::create(path)?), options))
    }
}

impl Pst<Cursor<Vec<u8>>> {
    /// Begins one in memory.
    #[must_use]
    pub fn memory(options: Options) -> Self {
        Self::new(Cursor::new(Vec::new()), options)
    }

    /// Ends it and gives its bytes.
    ///
    /// # Panics
    /// Never: memory takes what is written.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        self.finish().expect("memory takes what is written").into_inner()
    }
}

impl<W: Write + Seek> Pst<W> {
    /// Begins one.
    pub fn new(out: W, options: Options) -> Self {
        let ndb = Ndb::new(out, &options);
        let texts = if options.layout == Layout::Ansi {
            Texts::Narrow(match options.code_page {
                932 => encoding_rs::SHIFT_JIS,
                936 => encoding_rs::GBK,
                1250 => encoding_rs::WINDOWS_1250,
                1251 => encoding_rs::WINDOWS_1251,
                65001 => encoding_rs::UTF_8,
                _ => encoding_rs::WINDOWS_1252,
            })
        } else {
            Texts::Wide
        };
        let mut pst = Self {
            ndb,
            options,
            texts,
            names: Names::new(),
            folders: vec![Folder::new("", ROOT_FOLDER, None)],
            top: FolderId(0),
            deleted: FolderId(0),
        };
        pst.top = match pst.options.tree {
            Tree::Store => pst.add(Folder::new("Top of Outlook data file", TOP_FOLDER, Some(FolderId(0)))),
            Tree::Offline => {
                let mailbox = pst.folder(FolderId(0), "Root - Mailbox");
                pst.folder(mailbox, "IPM_SUBTREE")
            }
        };
        pst.add(Folder::new("Search Root", SEARCH_ROOT, Some(FolderId(0))));
        let mut deleted = Folder::new("Deleted Items", DELETED_ITEMS, Some(pst.top));
        deleted.role = Some(Role::Deleted);
        pst.deleted = pst.add(deleted);
        pst
    }

    fn add(&mut self, folder: Folder) -> FolderId {
        self.folders.push(folder);
        FolderId(self.folders.len() - 1)
    }

    /// The folder above all of the user's.
    #[must_use]
    pub fn top(&self) -> FolderId {
        self.top
    }

    /// Where deleted items lie; every file has it.
    #[must_use]
    pub fn deleted(&self) -> FolderId {
        self.deleted
    }

    /// A new folder; several may have the same name.
    pub fn folder(&mut self, parent: FolderId, name: &str) -> FolderId {
        let nid = self.ndb.nid(2);
        self.add(Folder::new(name, nid, Some(parent)))
    }

    /// A new folder for a purpose.
    pub fn folder_for(&mut self, parent: FolderId, name: &str, role: Role) -> FolderId {
        let folder = self.folder(parent, name);
        self.folders[folder.0].role = Some(role);
        folder
    }

    /// Calls a folder otherwise.
    pub fn rename(&mut self, folder: FolderId, name: &str) {
        name.clone_into(&mut self.folders[folder.0].name);
    }

    /// Lets a folder say that it holds another number of items.
    pub fn declare(&mut self, folder: FolderId, items: i32) {
        self.folders[folder.0].declared = Some(items);
    }

    /// Leaves a folder out of its parent's table, as damage does.
    pub fn unlist(&mut self, folder: FolderId) {
        self.folders[folder.0].listed = false;
    }

    /// Leaves out the table of a folder's items, as damage does.
    pub fn without_table(&mut self, folder: FolderId) {
        self.folders[folder.0].table = false;
    }

    /// Puts an item into a folder and gives its node's id.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn item(&mut self, folder: FolderId, item: &Item) -> io::Result<u32> {
        let nid = self.ndb.nid(4);
        let (data, subnodes, row) = self.message(item)?;
        self.ndb.node(nid, data, subnodes, self.folders[folder.0].nid);
        if item.listed {
            let folder = &mut self.folders[folder.0];
            folder.unread += i32::from(matches!(row.get(&0x0E07), Some(Value::Int32(flags)) if flags & 1 == 0));
            folder.rows.push((nid, row));
        }
        Ok(nid)
    }

    /// Writes an item; gives its data, its subnodes and the cells of its row.
    fn message(&mut self, item: &Item) -> io::Result<(u64, u64, BTreeMap<u16, Value>)> {
        let mut all = self.by_id(&item.properties);
        let mut large = Large::new();
        if !item.attachments.is_empty()
            && let Value::Int32(flags) = all.entry(0x0E07).or_insert(Value::Int32(0))
        {
            *flags |= 0x10;
        }
        let shown = |kind| {
            let names: Vec<&str> = item
                .recipients
                .iter()
                .filter(|recipient| recipient.properties.get(&0x0C15) == Some(&Value::Int32(kind)))
                .filter_map(|recipient| match recipient.properties.get(&0x3001) {
                    Some(Value::Text(name)) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            Value::Text(names.join("; "))
        };
        for (tag, kind) in [(0x0E04, 1), (0x0E03, 2), (0x0E02, 3)] {
            all.entry(tag).or_insert_with(|| shown(kind));
        }
        if self.options.layout == Layout::Ansi {
            all.entry(0x3FFD).or_insert(Value::Int32(i32::from(self.options.code_page)));
        }
        let bytes = item.attachments.iter().map(Attachment::bytes).sum::<usize>() + 2048;
        all.entry(0x0E08).or_insert(Value::Int32(bytes.try_into().unwrap_or(i32::MAX)));

        let rows: Vec<Row> =
            (1..).zip(&item.recipients).map(|(number, recipient)| (number, recipient.properties.clone())).collect();
        let mut columns = RECIPIENTS.to_vec();
        for (id, value) in rows.iter().flat_map(|(_, cells)| cells) {
            if columns.iter().all(|(known, _)| known != id) {
                columns.push((*id, value.kind(Texts::Wide)));
            }
        }
        let recipients = table(&mut self.ndb, self.texts, &columns, &rows)?;
        large.subnodes.push((0x692, recipients.0, recipients.1));
        let mut rows = Vec::new();
        for (number, attachment) in (0x401..).zip(&item.attachments) {
            let nid = (number << 5) | 5;
            let (subnode, row) = self.attachment(nid, attachment)?;
            large.subnodes.push(subnode);
            rows.push((nid, row));
        }
        if !rows.is_empty() {
            let attachments = table(&mut self.ndb, self.texts, &ATTACHMENTS, &rows)?;
            large.subnodes.push((0x671, attachments.0, attachments.1));
        }
        let data = properties(&mut self.ndb, self.texts, &all, &mut large)?;
        let subnodes = self.ndb.subnodes(large.subnodes)?;
        all.retain(|id, _| CONTENTS.iter().any(|(column, _)| column == id));
        Ok((data, subnodes, all))
    }

    fn attachment(&mut self, nid: u32, attachment: &Attachment) -> io::Result<(Subnode, BTreeMap<u16, Value>)> {
        let mut all = self.by_id(&attachment.properties);
        let mut large = Large::new();
        let bytes = i32::try_from(attachment.bytes()).unwrap_or(i32::MAX);
        all.entry(0x0E20).or_insert(Value::Int32(bytes));
        let method = match &attachment.content {
            Content::Data(data) => {
                all.insert(0x3701, Value::Binary(data.clone()));
                1
            }
            Content::Reference(path) => {
                all.insert(0x3708, path.as_str().into());
                2
            }
            Content::Message(item) => {
                let (data, subnodes, _) = self.message(item)?;
                let inner = (0x8000 << 5) | 4;
                large.subnodes.push((inner, data, subnodes));
                // PtypObject: the node, and its size (MS-PST 2.3.3.5).
                let object = [inner.to_le_bytes(), bytes.to_le_bytes()].concat();
                all.insert(0x3701, Value::Raw(0x000D, object));
                5
            }
            Content::Ole(data) => {
                let (inner, stream) = ((0x8000 << 5) | 0x1F, self.ndb.stream(data)?);
                large.subnodes.push((inner, stream, 0));
                let object = [inner.to_le_bytes(), bytes.to_le_bytes()].concat();
                all.insert(0x3701, Value::Raw(0x000D, object));
                6
            }
        };
        all.entry(0x3705).or_insert(Value::Int32(method));
        let data = properties(&mut self.ndb, self.texts, &all, &mut large)?;
        let subnodes = self.ndb.subnodes(large.subnodes)?;
        all.retain(|id, _| ATTACHMENTS.iter().any(|(column, _)| column == id));
        Ok(((nid, data, subnodes), all))
    }

    fn by_id(&mut self, named: &BTreeMap<Name, Value>) -> BTreeMap<u16, Value> {
        named.iter().map(|(name, value)| (self.names.id(name), value.clone())).collect()
    }

    /// Writes the folders, the store and the trees, and gives what was written to.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        let folders = std::mem::take(&mut self.folders);
        let entry_id = |folder: &Folder| [&[0; 4][..], &RECORD_KEY, &folder.nid.to_le_bytes()].concat();
        let role = |role| folders.iter().find(|folder| folder.role == Some(role)).map(entry_id);
        let ren = || match role(Role::Junk) {
            None => BTreeMap::new(),
            Some(junk) => BTreeMap::from([(0x36D8, Value::Binaries(vec![vec![], vec![], vec![], vec![], junk]))]),
        };
        let below_inbox = || {
            let kinds = [
                (0x36D0, Role::Calendar),
                (0x36D1, Role::Contacts),
                (0x36D2, Role::Journal),
                (0x36D3, Role::Notes),
                (0x36D4, Role::Tasks),
                (0x36D7, Role::Drafts),
            ];
            let mut all = ren();
            all.extend(kinds.into_iter().filter_map(|(id, kind)| Some((id, Value::Binary(role(kind)?)))));
            all
        };
        for (at, folder) in folders.iter().enumerate() {
            self.write_folder(FolderId(at), folder, &folders, below_inbox())?;
        }
        let mut store = BTreeMap::from([
            (0x0FF9, Value::Binary(RECORD_KEY.to_vec())),
            (0x3001, self.options.name.as_str().into()),
            (0x35DF, Value::Int32(0x89)),
            (0x35E7, Value::Binary([&[0; 4][..], &RECORD_KEY, &SEARCH_ROOT.to_le_bytes()].concat())),
        ]);
        let password = self.options.password.as_ref().map_or(0, |password| checksum(password.as_bytes()));
        store.insert(0x67FF, Value::Int32(password.cast_signed()));
        if self.options.tree == Tree::Store {
            store.insert(0x35E0, Value::Binary(entry_id(&folders[self.top.0])));
        }
        for (id, kind) in [(0x35E2, Role::Outbox), (0x35E3, Role::Deleted), (0x35E4, Role::Sent)] {
            if let Some(entry) = role(kind) {
                store.insert(id, Value::Binary(entry));
            }
        }
        self.properties_node(0x21, &store, 0)?;
        let names = self.names.properties();
        self.properties_node(0x61, &names, 0)?;
        // Templates of tables (MS-PST 2.4.1).
        let templates: [(u32, &[Column]); 6] = [
            (0x60D, &HIERARCHY),
            (0x60E, &CONTENTS),
            (0x60F, &ASSOCIATED),
            (0x610, &CONTENTS),
            (0x671, &ATTACHMENTS),
            (0x692, &RECIPIENTS),
        ];
        for (nid, columns) in templates {
            self.table_node(nid, columns, &[])?;
        }
        // Where mail arrives, by its class. [MS-PST] does not tell of it; files of Outlook's have it.
        let inbox = folders.iter().find(|folder| folder.role == Some(Role::Inbox));
        let arrives = |folder: &Folder| {
            let nid = Value::Int32(folder.nid.cast_signed());
            (1, BTreeMap::from([(0x001A, "IPM".into()), (0x6605, nid)]))
        };
        self.table_node(0x62B, &RECEIVE_FOLDERS, &inbox.map(arrives).into_iter().collect::<Vec<Row>>())?;
        self.ndb.finish()
    }

    fn write_folder(
        &mut self,
        id: FolderId,
        folder: &Folder,
        folders: &[Folder],
        below_inbox: BTreeMap<u16, Value>,
    ) -> io::Result<()> {
        let children: Vec<&Folder> = folders.iter().filter(|child| child.parent == Some(id)).collect();
        let items = |folder: &Folder| Value::Int32(folder.declared.unwrap_or(folder.rows.len() as i32));
        let has_children =
            |nid| folders.iter().any(|child| child.parent.is_some_and(|parent| folders[parent.0].nid == nid));
        let mut all = BTreeMap::from([
            (0x3001, folder.name.as_str().into()),
            (0x3602, items(folder)),
            (0x3603, Value::Int32(folder.unread)),
            (0x360A, Value::Bool(!children.is_empty())),
        ]);
        if folder.parent.is_some() {
            all.insert(0x3613, folder.role.map_or("IPF.Note", Role::class).into());
        }
        if folder.role == Some(Role::Inbox) || folder.parent.is_none() {
            all.extend(below_inbox);
        }
        let parent = folder.parent.map_or(ROOT_FOLDER, |parent| folders[parent.0].nid);
        self.properties_node(folder.nid, &all, parent)?;
        let rows: Vec<Row> = children
            .iter()
            .filter(|child| child.listed)
            .map(|child| {
                let cells = BTreeMap::from([
                    (0x3001, child.name.as_str().into()),
                    (0x3602, items(child)),
                    (0x3603, Value::Int32(child.unread)),
                    (0x360A, Value::Bool(has_children(child.nid))),
                ]);
                (child.nid, cells)
            })
            .collect();
        let index = folder.nid & !0x1F;
        self.table_node(index | 0x0D, &HIERARCHY, &rows)?;
        if folder.table {
            self.table_node(index | 0x0E, &CONTENTS, &folder.rows)?;
        }
        self.table_node(index | 0x0F, &ASSOCIATED, &[])
    }

    fn properties_node(&mut self, nid: u32, all: &BTreeMap<u16, Value>, parent: u32) -> io::Result<()> {
        let mut large = Large::new();
        let data = properties(&mut self.ndb, self.texts, all, &mut large)?;
        let subnodes = self.ndb.subnodes(large.subnodes)?;
        self.ndb.node(nid, data, subnodes, parent);
        Ok(())
    }

    fn table_node(&mut self, nid: u32, columns: &[Column], rows: &[Row]) -> io::Result<()> {
        let (data, subnodes) = table(&mut self.ndb, self.texts, columns, rows)?;
        self.ndb.node(nid, data, subnodes, 0);
        Ok(())
    }
}
