//! Which folder every item and folder belongs to, by the node B-tree: the answer where tables are damaged. It takes
//! 8 bytes for each item.

use super::{items::contents, kind, kinds, sibling};
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
    /// Folders whose table of items is that of another folder, sorted: its rows are told there.
    shared: Vec<u32>,
    /// Every item that some folder's table names, sorted; made when an item is found that its folder does not name.
    listed: OnceLock<Vec<u32>>,
}

impl Index {
    pub fn build(ndb: &Ndb) -> Result<Self> {
        let mut index = Self::default();
        let mut tables = Vec::new();
        index.lost = {
            let (folders, items) = (&mut index.folders, &mut index.items);
            ndb.walk_nodes(&mut |node| match kind(node.nid) {
                kinds::FOLDER => folders.push((node.parent, node.nid)),
                kinds::MESSAGE => items.push((node.parent, node.nid)),
                kinds::CONTENTS_TABLE => tables.push((node.data, sibling(node.nid, kinds::FOLDER))),
                _ => {}
            })?
        };
        for list in [&mut index.folders, &mut index.items] {
            list.sort_unstable();
            list.dedup();
        }
        let mut known: Vec<u32> = index.folders.iter().map(|pair| pair.1).collect();
        known.sort_unstable();
        index.shared = sharing(tables, &known);
        Ok(index)
    }

    /// Whether a folder's table of items is that of another folder.
    pub fn shares_table(&self, folder: u32) -> bool {
        self.shared.binary_search(&folder).is_ok()
    }

    /// Whether an item names this folder as its parent.
    pub fn belongs(&self, nid: u32, folder: u32) -> bool {
        self.items.binary_search(&(folder, nid)).is_ok()
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
            for &(_, folder) in self.folders.iter().filter(|pair| !self.shares_table(pair.1)) {
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

/// Of tables by their data and folder those that repeat another's, by their folders. A folder that the file knows comes
/// first: new folders share the data of a template, which is empty.
fn sharing(mut tables: Vec<(u64, u32)>, known: &[u32]) -> Vec<u32> {
    tables.retain(|&(data, _)| data & !1 != 0);
    tables.sort_unstable_by_key(|&(data, folder)| (data, known.binary_search(&folder).is_err(), folder));
    tables.dedup();
    let mut shared: Vec<u32> = tables
        .chunk_by(|a, b| a.0 == b.0)
        .flat_map(|group| group.iter().skip(1).filter(|pair| pair.1 != group[0].1).map(|pair| pair.1))
        .collect();
    shared.sort_unstable();
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_folders_with_one_table_the_first_that_is_known_keeps_it() {
        let tables = vec![(8, 0x602), (8, 0x8042), (8, 0x8022), (12, 0x8062), (0, 0x80A2), (0, 0x80C2)];
        assert_eq!(sharing(tables, &[0x8022, 0x8042, 0x8062]), [0x602, 0x8042]);
        assert_eq!(sharing(vec![(8, 0x8022), (8, 0x8022)], &[]), [0_u32; 0]);
    }
}
