//! The tree of folders: by the tables of each folder's children, and by the parents that the nodes name.

use super::{
    Index, Items, Role, kind, kinds, nids,
    roles::{self, Target},
    sibling,
};
use crate::{
    error::Result,
    ltp::{CodePage, Context, PropertyContext, Table},
    ndb::Ndb,
};
use gatepost_mapi::{Value, tags};
use std::collections::{HashMap, HashSet};

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its node; what [`Pst::items`](crate::Pst::items) takes.
    pub nid: u32,
    /// The folder above, where it is known.
    pub parent: Option<u32>,
    /// Names from the top of the mail tree; empty for the top itself. Below the top of a mailbox an OST has
    /// `Root - Mailbox` and `IPM_SUBTREE`, which are left in.
    pub path: Vec<String>,
    /// What it is for.
    pub role: Option<Role>,
    /// PidTagContainerClass, as `IPF.Note`.
    pub class: Option<String>,
    /// PidTagContentCount: how many items it says that it has.
    pub declared: Option<u64>,
    /// Whether it lies beside the tree that Outlook shows (search folders' homes, views).
    pub outside: bool,
    /// Whether it was found beside the index of the file, after damage.
    pub salvaged: bool,
}

/// Where items go whose folder is lost.
pub const RECOVERED: &str = "Recovered items";

/// Deeper trees are cut: their folders hang at this depth.
const MOST_DEEP: usize = 1000;

/// Folders that are told at most: what a hostile file names beyond is counted.
const MOST_FOLDERS: usize = 200_000;

/// Memory of folders' names and paths, about, and bytes of one name (Outlook's own end at 255 characters).
const MOST_HELD: usize = 32 << 20;
const LONGEST_NAME: usize = 4096;
/// Rows of the table of receive folders that are looked at.
const MOST_CLASSES: usize = 1_000;
/// A name where there are too many long ones, and a folder's class.
const SHORT_NAME: usize = 255;
/// What a name takes beside its bytes.
const NAME_COST: usize = 32;

/// Rows of all tables of subfolders together, beside some for each folder that the file has: its tables may share
/// their blocks.
const MOST_ROWS: usize = 1 << 20;
const ROWS_A_FOLDER: usize = 4;

const DISPLAY_NAME: u16 = tags::DISPLAY_NAME;
const CONTENT_COUNT: u16 = 0x3602;
const CONTAINER_CLASS: u16 = 0x3613;
const IPM_SUBTREE: u16 = 0x35E0;
/// A receive folder's node; an OST folder's id at its server. Neither is documented.
const RECEIVE_FOLDER: u16 = 0x6605;
const FOLDER_ID: u16 = 0x67F4;

/// Where an OST keeps what Outlook shows.
const OST_TOP_NODE: u32 = 0x2142;
const PST_TOP: u32 = 0x8022;
const OST_TOP: [&str; 2] = ["Root - Mailbox", "IPM_SUBTREE"];

struct Walk<'p> {
    ndb: &'p Ndb,
    index: &'p Index,
    seen: HashSet<u32>,
    roles: HashMap<Target, Role>,
    folders: Vec<Folder>,
    page: CodePage,
    held: usize,
    /// Rows that may still be read.
    rows: usize,
}

/// A folder that waits for its turn.
struct Pending {
    nid: u32,
    parent: Option<u32>,
    path: Vec<String>,
    /// Its name in the table of its parent, for a folder that cannot be read itself.
    listed: Option<String>,
    outside: bool,
    /// Whether its own name is part of its path.
    named: bool,
}

/// All folders, a parent before its children.
pub fn folders(ndb: &Ndb, index: &Index, page: CodePage) -> Vec<Folder> {
    let rows = index.folders().len().saturating_mul(ROWS_A_FOLDER).saturating_add(MOST_ROWS);
    let (seen, roles, folders) = (HashSet::new(), HashMap::new(), Vec::new());
    let mut walk = Walk { ndb, index, seen, roles, folders, page, held: 0, rows };
    let top = walk.store().or_else(|| walk.usual_top());
    let pending = |nid, outside, named| Pending { nid, parent: None, path: Vec::new(), listed: None, outside, named };
    if let Some(top) = top {
        walk.descend(pending(top, false, false));
    }
    if walk.exists(nids::ROOT) {
        walk.descend(pending(nids::ROOT, top.is_some(), false));
    }
    // An OST has its mail tree somewhat lower.
    if top.is_none() && walk.folders.iter().any(|folder| folder.path == OST_TOP) {
        for folder in &mut walk.folders {
            folder.outside = !folder.path.iter().zip(OST_TOP).all(|(name, top)| name == top) || folder.path.len() < 2;
        }
    }
    walk.lost();
    walk.folders
}

impl<'p> Walk<'p> {
    fn properties(&self, nid: u32) -> Result<Option<PropertyContext<'p>>> {
        let Some(node) = self.ndb.node(nid)? else { return Ok(None) };
        PropertyContext::open(Context::new(self.ndb), node.data, node.subnodes).map(Some)
    }

    fn exists(&self, nid: u32) -> bool {
        matches!(self.ndb.node(nid), Ok(Some(_)))
    }

    /// The top of the mail tree, and the roles that the store names.
    fn store(&mut self) -> Option<u32> {
        let store = match self.properties(nids::STORE) {
            Ok(Some(store)) => store,
            Ok(None) => {
                self.ndb.damage.add("The description of the store is missing; its folders are found without it.");
                return None;
            }
            Err(error) => {
                self.ndb.damage.add(format!("The description of the store cannot be read. {error}"));
                return None;
            }
        };
        let mut named = roles::of_store(&store);
        let inbox = self.inbox().unwrap_or_default();
        named.extend(inbox.map(|nid| (Target::Node(nid), Role::Inbox)));
        for nid in [Some(nids::ROOT), inbox].into_iter().flatten() {
            if let Ok(Some(properties)) = self.properties(nid) {
                named.extend(roles::of_root(&properties));
            }
        }
        let top = match store.get(IPM_SUBTREE, CodePage::default()) {
            Some(Value::Bytes(id)) => Target::of(&id).and_then(Target::node),
            _ => None,
        };
        let top = top.filter(|&nid| kind(nid) == kinds::FOLDER && nid != nids::ROOT && self.exists(nid));
        if top.is_none() {
            named.extend(roles::OF_OST.map(|(nid, role)| (Target::Node(nid), role)));
        }
        for (target, role) in named {
            self.roles.entry(target).or_insert(role);
        }
        top
    }

    /// Where a PST whose store does not say so has its mail tree: every program puts it there.
    fn usual_top(&self) -> Option<u32> {
        let below_root = matches!(self.ndb.node(PST_TOP), Ok(Some(node)) if node.parent == nids::ROOT);
        (below_root && !self.exists(OST_TOP_NODE)).then_some(PST_TOP)
    }

    /// Where mail of the class IPM arrives, by the table of receive folders.
    fn inbox(&self) -> Result<Option<u32>> {
        let Some(node) = self.ndb.node(nids::RECEIVE_FOLDERS)? else { return Ok(None) };
        let table = Table::open(Context::new(self.ndb), node.data, node.subnodes)?;
        let (Some(class), Some(folder)) = (table.column(tags::MESSAGE_CLASS), table.column(RECEIVE_FOLDER)) else {
            return Ok(None);
        };
        let mut walk = table.ids();
        // It has a row for each class of messages that arrives somewhere else.
        for _ in 0..MOST_CLASSES {
            let Some(id) = table.next_id(&mut walk) else { break };
            let Some(row) = table.row(id?.1)? else { continue };
            if let (Some(Value::Text(class)), Some(Value::Int32(nid))) =
                (table.value(&row, class, CodePage::default())?, table.value(&row, folder, CodePage::default())?)
                && class.eq_ignore_ascii_case("IPM")
            {
                return Ok(Some(nid.cast_unsigned()).filter(|&nid| nid != nids::ROOT));
            }
        }
        Ok(None)
    }

    /// A folder and everything below it.
    fn descend(&mut self, top: Pending) {
        if !self.first(top.nid) {
            return;
        }
        let mut stack = vec![top];
        while let Some(pending) = stack.pop() {
            let folder = self.folder(pending);
            let children = self.children(folder.nid);
            let first = stack.len();
            for (nid, listed) in children {
                let mut path = folder.path.clone();
                if path.len() >= MOST_DEEP {
                    self.ndb.damage.add(format!("Folders below the depth of {MOST_DEEP} are shown at that depth."));
                    path.truncate(MOST_DEEP - 1);
                }
                self.held += path.iter().map(|name| name.len() + NAME_COST).sum::<usize>();
                if self.held > MOST_HELD {
                    self.ndb.damage.add("The names of the folders are too long to be held; some are shown at the top.");
                    path.clear();
                }
                let outside = folder.outside;
                stack.push(Pending { nid, parent: Some(folder.nid), path, listed, outside, named: true });
            }
            stack[first..].reverse();
            self.folders.push(folder);
        }
    }

    fn folder(&mut self, pending: Pending) -> Folder {
        let Pending { nid, parent, mut path, listed, outside, named } = pending;
        let properties = self.properties(nid).unwrap_or_else(|error| {
            self.ndb.damage.add(format!("A folder's own description cannot be read. {error}"));
            None
        });
        let get = |id| properties.as_ref().and_then(|properties| properties.get(id, self.page));
        let text = |id| match get(id) {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        if named {
            let name = text(DISPLAY_NAME).or(listed).unwrap_or_else(|| format!("Folder {nid:X}"));
            path.push(short(name, if self.held > MOST_HELD { SHORT_NAME } else { LONGEST_NAME }));
        }
        let declared = match get(CONTENT_COUNT) {
            Some(Value::Int32(count)) => u64::try_from(count).ok(),
            _ => None,
        };
        let salvaged = self.index.salvaged(nid);
        let class = text(CONTAINER_CLASS).map(|class| short(class, SHORT_NAME));
        let at_server = match get(FOLDER_ID) {
            Some(Value::Int64(id)) => Target::of_id(id),
            _ => None,
        };
        let role =
            [Some(Target::Node(nid)), at_server].into_iter().flatten().find_map(|target| self.roles.get(&target));
        let role = role.copied().filter(|role| role.fits(class.as_deref()));
        self.held += path.last().filter(|_| named).map_or(0, |name| name.len() + NAME_COST);
        Folder { nid, parent, path, role, class, declared, outside, salvaged }
    }

    /// Whether a folder is met for the first time, and there is room for it.
    fn first(&mut self, nid: u32) -> bool {
        if self.seen.contains(&nid) {
            return false;
        }
        if self.seen.len() >= MOST_FOLDERS {
            self.ndb.damage.add(format!("There are more than {MOST_FOLDERS} folders; the others are left out."));
            return false;
        }
        self.seen.insert(nid)
    }

    /// Those not met before: by the folder's table, then by what calls this folder its parent.
    fn children(&mut self, nid: u32) -> Vec<(u32, Option<String>)> {
        let mut children = Vec::new();
        if let Err(error) = self.listed(nid, &mut children) {
            self.ndb.damage.add(format!("The table of a folder's subfolders cannot be read. {error}"));
        }
        for &(_, child) in self.index.folders_in(nid) {
            if self.first(child) {
                children.push((child, None));
            }
        }
        children
    }

    fn listed(&mut self, nid: u32, children: &mut Vec<(u32, Option<String>)>) -> Result<()> {
        let Some(node) = self.ndb.node(sibling(nid, kinds::HIERARCHY_TABLE))? else { return Ok(()) };
        let table = Table::open(Context::new(self.ndb), node.data, node.subnodes)?;
        let name = table.column(DISPLAY_NAME);
        let mut walk = table.ids();
        while let Some(id) = table.next_id(&mut walk) {
            let Some(left) = self.rows.checked_sub(1) else {
                self.ndb.damage.add("The tables of folders have more rows than the file can have folders.");
                break;
            };
            self.rows = left;
            let Ok((child, number)) = id else { continue };
            if kind(child) != kinds::FOLDER || !self.first(child) {
                continue;
            }
            let listed = match (name, table.row(number)) {
                (Some(name), Ok(Some(row))) if self.held <= MOST_HELD => match table.value(&row, name, self.page) {
                    Ok(Some(Value::Text(text))) if !text.is_empty() => Some(short(text, LONGEST_NAME)),
                    _ => None,
                },
                _ => None,
            };
            self.held += listed.as_ref().map_or(0, |name| name.len() + NAME_COST);
            children.push((child, listed));
        }
        Ok(())
    }

    /// Folders that nothing leads to, and items whose folder is gone.
    fn lost(&mut self) {
        let pending =
            |nid, parent| Pending { nid, parent, path: Vec::new(), listed: None, outside: false, named: true };
        let all: HashSet<u32> = self.index.folders().iter().map(|pair| pair.1).collect();
        let unreached: Vec<(u32, u32)> =
            self.index.folders().iter().copied().filter(|pair| !self.seen.contains(&pair.1)).collect();
        // Those without a parent first, so that their children come below them; then what goes in circles.
        for &(parent, nid) in &unreached {
            if parent == nid || !all.contains(&parent) {
                self.descend(pending(nid, None));
            }
        }
        for &(_, nid) in &unreached {
            self.descend(pending(nid, None));
        }
        let orphaned: Vec<u32> = self
            .index
            .parents()
            .filter(|parent| !self.seen.contains(parent))
            .filter(|&parent| Items::new(self.ndb, self.index, parent, self.page).next().is_some())
            .collect();
        for nid in orphaned {
            if !self.first(nid) {
                continue;
            }
            self.folders.push(Folder {
                nid,
                parent: None,
                path: vec![RECOVERED.to_owned()],
                role: None,
                class: None,
                declared: None,
                outside: false,
                salvaged: true,
            });
        }
    }
}

/// The beginning of a text, in no more memory than it needs.
fn short(text: String, most: usize) -> String {
    if text.len() <= most { text } else { text[..text.floor_char_boundary(most)].to_owned() }
}
