//! What travels with every reading of an item: the file, and the notes about this item.

use crate::{
    error::Result,
    ndb::{Block, Ndb},
    notes::Notes,
};
use std::sync::Arc;

/// The file, and where its reader writes down what was wrong.
#[derive(Clone)]
pub struct Context<'p> {
    pub ndb: &'p Ndb,
    pub notes: Arc<Notes>,
}

impl<'p> Context<'p> {
    pub fn new(ndb: &'p Ndb) -> Self {
        Self { ndb, notes: Arc::new(Notes::default()) }
    }

    /// A block; its flaw becomes a note.
    pub fn block(&self, id: u64) -> Result<Arc<Block>> {
        let block = self.ndb.block(id)?;
        if let Some(flaw) = &block.flaw {
            self.notes.add(flaw);
        }
        Ok(block)
    }
}
