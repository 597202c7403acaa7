//! The file as its user sees it: folders, items, messages.

use crate::{
    Bytes, FileBytes, Format, PstError,
    error::Result,
    ltp::Context,
    messaging::{Folder, Index, Items, Names, PstMessage, folders},
    ndb::{Encoding, Ndb},
};
use std::{fs::File, path::Path, sync::OnceLock};

/// An open PST or OST file. It is only read; several threads may read it at once.
pub struct Pst {
    ndb: Ndb,
    names: Names,
    index: OnceLock<Index>,
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
        Ok(Self { ndb, names, index: OnceLock::new() })
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

    /// All folders, a parent before its children; the top of the mail tree first.
    ///
    /// # Errors
    /// Where the bytes cannot be read.
    pub fn folders(&self) -> Result<Vec<Folder>> {
        Ok(folders(&self.ndb, self.index()?))
    }

    /// The items of a folder, one by one.
    ///
    /// # Errors
    /// Where the bytes cannot be read.
    pub fn items(&self, folder: u32) -> Result<Items<'_>> {
        Ok(Items::new(&self.ndb, self.index()?, folder))
    }

    /// An item.
    ///
    /// # Errors
    /// [`PstError::Damaged`] with the cause where it cannot be given.
    pub fn message(&self, nid: u32) -> Result<PstMessage<'_>> {
        let Some(node) = self.ndb.node(nid)? else {
            return Err(PstError::damaged("The item is in its folder's list, and not in the index of the file."));
        };
        PstMessage::open(Context::new(&self.ndb), &self.names, node.data, node.subnodes)
    }

    /// What is wrong with the file as a whole, as far as it was met; complete once everything was read.
    #[must_use]
    pub fn damage(&self) -> Vec<String> {
        self.ndb.damage.list()
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
