//! The file as its user sees it: folders, items, messages.

use crate::{
    Bytes, FileBytes, Format, PstError,
    error::Result,
    ltp::{CodePage, Context, PropertyContext},
    messaging::{Folder, Index, Items, Names, PstMessage, folders, nids},
    ndb::{Encoding, Ndb},
};
use gatepost_mapi::{Value, tags};
use std::{collections::BTreeMap, fs::File, path::Path, sync::OnceLock};

/// PidTagPstPassword.
const PASSWORD: u16 = 0x67FF;

/// An open PST or OST file. It is only read; several threads may read it at once.
pub struct Pst {
    ndb: Ndb,
    names: Names,
    index: OnceLock<Index>,
    page: OnceLock<CodePage>,
}

impl Pst {
    /// Opens a file on disk.
    ///
    /// # Errors
    /// As [`Pst::open`], and where the file cannot be opened.
    pub fn open_path(path: &Path) -> Result<Self> {
        Self::open(FileBytes::new(File::open(path)?)?)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// [`PstError::NotAPst`] and [`PstError::UnknownVersion`], and where the bytes cannot be read. Damage is no error:
    /// see [`Pst::damage`].
    pub fn open(bytes: impl Bytes + 'static) -> Result<Self> {
        let ndb = Ndb::open(Box::new(bytes))?;
        let names = match Names::read(&ndb) {
            Ok(names) => names,
            Err(PstError::Io(error)) => return Err(error.into()),
            Err(error) => {
                ndb.damage.add(format!("The list of named properties cannot be read. {error}"));
                Names::default()
            }
        };
        Ok(Self { ndb, names, index: OnceLock::new(), page: OnceLock::new() })
    }

    /// How it is laid out.
    #[must_use]
    pub fn format(&self) -> Format {
        self.ndb.format
    }

    /// How its data is encoded.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.ndb.encoding
    }

    /// Whether it bears a password. It is a checksum that asks programs to be polite: nothing is encrypted by it, and
    /// the file is read as any other.
    #[must_use]
    pub fn has_password(&self) -> bool {
        let Ok(Some(node)) = self.ndb.node(nids::STORE) else { return false };
        let store = PropertyContext::open(Context::new(&self.ndb), node.data, node.subnodes);
        let checksum = store.ok().and_then(|store| store.get(PASSWORD, CodePage::default()));
        // An OST has -1 there.
        matches!(checksum, Some(Value::Int32(checksum)) if checksum != 0 && checksum != -1)
    }

    /// How many items its index knows, in folders or not: what a reading through is measured against.
    ///
    /// # Errors
    /// Where the bytes cannot be read.
    pub fn known_items(&self) -> Result<u64> {
        Ok(self.index()?.items() as u64)
    }

    /// All folders, a parent before its children; the top of the mail tree first.
    ///
    /// # Errors
    /// Where the bytes cannot be read.
    pub fn folders(&self) -> Result<Vec<Folder>> {
        Ok(folders(&self.ndb, self.index()?, self.page()?))
    }

    /// The items of a folder, one by one.
    ///
    /// # Errors
    /// Where the bytes cannot be read.
    pub fn items(&self, folder: u32) -> Result<Items<'_>> {
        Ok(Items::new(&self.ndb, self.index()?, folder, self.page()?))
    }

    /// An item.
    ///
    /// # Errors
    /// [`PstError::Damaged`] with the cause where it cannot be given.
    pub fn message(&self, nid: u32) -> Result<PstMessage<'_>> {
        let Some(node) = self.ndb.node(nid)? else {
            return Err(PstError::damaged("The item is in its folder's list, and not in the index of the file."));
        };
        PstMessage::open(Context::new(&self.ndb), &self.names, node.data, node.subnodes, self.page()?)
    }

    /// What is wrong with the file as a whole, as far as it was met; complete once everything was read.
    #[must_use]
    pub fn damage(&self) -> Vec<String> {
        self.ndb.damage.list()
    }

    /// The code page of 8-bit text that does not name its own: in an ANSI file the one that most of its first items
    /// name, as folders name none.
    fn page(&self) -> Result<CodePage> {
        if let Some(page) = self.page.get() {
            return Ok(*page);
        }
        let mut named: BTreeMap<i32, usize> = BTreeMap::new();
        if self.format() == Format::Ansi {
            for nid in self.index()?.first_items(20) {
                let Ok(Some(node)) = self.ndb.node(nid) else { continue };
                let item = PropertyContext::open(Context::new(&self.ndb), node.data, node.subnodes);
                let page = item.ok().and_then(|item| item.get(tags::MESSAGE_CODEPAGE, CodePage::default()));
                if let Some(Value::Int32(page)) = page {
                    *named.entry(page).or_default() += 1;
                }
            }
        }
        let most = named.into_iter().max_by_key(|(_, count)| *count);
        let page = most.and_then(|(number, _)| CodePage::new(i64::from(number))).unwrap_or_default();
        Ok(*self.page.get_or_init(|| page))
    }

    fn index(&self) -> Result<&Index> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = Index::build(&self.ndb)?;
        Ok(self.index.get_or_init(|| index))
    }
}

impl std::fmt::Debug for Pst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pst")
            .field("format", &self.format())
            .field("encoding", &self.encoding())
            .finish_non_exhaustive()
    }
}
