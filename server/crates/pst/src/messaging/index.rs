//! Which folder every item and folder belongs to, by the node B-tree: the answer where tables are damaged. It takes
//! 8 bytes for each item.

use super::{items::contents, kind, kinds};
use crate::{error::Result, ndb::Ndb};
use std::{ops::RangeInclusive, sync::OnceLock};

/// Parents and children.
#[derive(Debug, Default)]
pub struct Index {
    /// (parent, folder), sorted.
    folders: Vec<(u32, u32)>,
    /// (parent, item), sorted.
    items: Vec<(u32, u32)>,
    /// Ids whose pages were lost: what there is of them was salvaged.
    lost: Vec<RangeInclusive<u32>>,
    /// Every item that some folder's table names, sorted; made when an item is found that its folder does not name.
    listed: OnceLock<Vec<u32>>,
}

impl Index {
    pub fn build(ndb: &Ndb) -> Result<Self> {
        let mut index = Self::default();
        index.lost = {
            let (folders, items) = (&mut index.folders, &mut index.items);
            ndb.walk_nodes(&mut |node| match kind(node.nid) {
                kinds::FOLDER => folders.push((node.parent, node.nid)),
                kinds::MESSAGE => items.push((node.parent, node.nid)),
                _ => {}
            })?
        };
        for list in [&mut index.folders, &mut index.items] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(index)
    }

    pub fn folders(&self) -> &[(u32, u32)] {
        &self.folders
    }

    pub fn folders_in(&self, parent: u32) -> &[(u32, u32)] {
        children(&self.folders, parent)
    }

    pub fn items_in(&self, parent: u32) -> &[(u32, u32)] {
        children(&self.items, parent)
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Some of them.
    pub fn first_items(&self, most: usize) -> impl Iterator<Item = u32> {
        self.items.iter().take(most).map(|pair| pair.1)
    }

    /// Every id that some item has as its parent, once each.
    pub fn parents(&self) -> impl Iterator<Item = u32> {
        self.items.chunk_by(|a, b| a.0 == b.0).map(|group| group[0].0)
    }

    /// Whether the table of any folder names this item.
    pub fn listed(&self, ndb: &Ndb, nid: u32) -> bool {
        let listed = self.listed.get_or_init(|| {
            let mut all = Vec::new();
            let mut room = 1 << 20;
            for &(_, folder) in &self.folders {
                let Ok(Some(table)) = contents(ndb, folder) else { continue };
                let mut walk = table.ids();
                while let Some(id) = table.next_id(&mut walk) {
                    all.extend(id.ok().map(|(nid, _)| nid));
                    if all.len() > room {
                        // Folders may share a table in a damaged file.
                        all.sort_unstable();
                        all.dedup();
                        room = all.len() * 2 + (1 << 20);
                    }
                }
            }
            all.sort_unstable();
            all.dedup();
            all
        });
        listed.binary_search(&nid).is_ok()
    }

    /// Whether a node was found beside the index of the file.
    pub fn salvaged(&self, nid: u32) -> bool {
        self.lost.iter().any(|range| range.contains(&nid))
    }
}

fn children(list: &[(u32, u32)], parent: u32) -> &[(u32, u32)] {
    let start = list.partition_point(|pair| pair.0 < parent);
    let end = list.partition_point(|pair| pair.0 <= parent);
    &list[start..end]
}
