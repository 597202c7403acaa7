//! What special folders are for, by the entry ids that the store, its root and its inbox keep; never by a name.
//!
//! A PST's entry ids name nodes. An OST's are those of its server: they name a folder by the counter in its id, which
//! the folder itself keeps in a property.

use crate::{
    ltp::{CodePage, PropertyContext},
    raw::u32_at,
};
use gatepost_mapi::Value;

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Where mail arrives.
    Inbox,
    /// What waits to be sent.
    Outbox,
    /// What was sent.
    Sent,
    /// What was deleted.
    Deleted,
    /// What is being written.
    Drafts,
    /// Unwanted mail.
    Junk,
    /// What was archived.
    Archive,
    /// Appointments.
    Calendar,
    /// Persons.
    Contacts,
    /// Tasks.
    Tasks,
    /// Notes.
    Notes,
    /// The journal.
    Journal,
    /// What synchronisation reported.
    SyncIssues,
}

/// Properties of the store that name folders (MS-PST 2.4.3, MS-OXOSFLD 2.2).
const OF_STORE: [(u16, Role); 4] =
    [(0x35E2, Role::Outbox), (0x35E3, Role::Deleted), (0x35E4, Role::Sent), (0x35FF, Role::Archive)];

/// Properties of the root or the inbox that name folders (MS-OXOSFLD 2.2.3).
const OF_ROOT: [(u16, Role); 7] = [
    (0x36D0, Role::Calendar),
    (0x36D1, Role::Contacts),
    (0x36D2, Role::Journal),
    (0x36D3, Role::Notes),
    (0x36D4, Role::Tasks),
    (0x36D7, Role::Drafts),
    (0x35FF, Role::Archive),
];

/// PidTagAdditionalRenEntryIds: conflicts, synchronisation, local failures, server failures, junk.
const ADDITIONAL: u16 = 0x36D8;

/// The nodes of a mailbox's first folders in an OST, which has no entry ids for them.
pub const OF_OST: [(u32, Role); 3] = [(0x2162, Role::Deleted), (0x21A2, Role::Outbox), (0x21C2, Role::Sent)];

/// What names a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Its node.
    Node(u32),
    /// The counter of its id at the server.
    Counter([u8; 6]),
}

impl Target {
    /// By an entry id: of a PST (MS-PST 2.4.3.2), or of a server's folder (MS-OXCDATA 2.2.4.1).
    pub fn of(entry_id: &[u8]) -> Option<Self> {
        match entry_id.len() {
            24 => u32_at(entry_id, 20).filter(|&nid| nid != 0).map(Self::Node),
            46 => entry_id.get(38..)?.first_chunk().copied().map(Self::Counter),
            _ => None,
        }
    }

    /// By the id that a folder of an OST keeps (0x67F4): two bytes of replica, six of counter. Replica 0 is the
    /// file's own, and no server's.
    pub fn of_id(id: i64) -> Option<Self> {
        let bytes = id.to_le_bytes();
        let counter = bytes.last_chunk().copied()?;
        (bytes[..2] != [0, 0]).then_some(Self::Counter(counter))
    }

    /// The node, where it is one.
    pub fn node(self) -> Option<u32> {
        match self {
            Self::Node(nid) => Some(nid),
            Self::Counter(_) => None,
        }
    }
}

impl Role {
    /// Whether a folder of this container class can be that; damaged files name others.
    pub fn fits(self, class: Option<&str>) -> bool {
        let is = |prefix| class.is_some_and(|class| class.starts_with(prefix));
        match self {
            Self::Calendar => is("IPF.Appointment"),
            Self::Contacts => is("IPF.Contact"),
            Self::Tasks => is("IPF.Task"),
            Self::Notes => is("IPF.StickyNote"),
            Self::Journal => is("IPF.Journal"),
            _ => class.is_none() || is("IPF.Note") || class == Some("IPF"),
        }
    }
}

/// What the store names.
pub fn of_store(store: &PropertyContext<'_>) -> Vec<(Target, Role)> {
    named(store, &OF_STORE)
}

/// What the root or the inbox names.
pub fn of_root(root: &PropertyContext<'_>) -> Vec<(Target, Role)> {
    let mut roles = named(root, &OF_ROOT);
    if let Some(Value::Many(list)) = root.get(ADDITIONAL, CodePage::default()) {
        for (place, role) in [(1, Role::SyncIssues), (4, Role::Junk)] {
            if let Some(Value::Bytes(id)) = list.get(place)
                && let Some(target) = Target::of(id)
            {
                roles.push((target, role));
            }
        }
    }
    roles
}

fn named(properties: &PropertyContext<'_>, list: &[(u16, Role)]) -> Vec<(Target, Role)> {
    let mut roles = Vec::new();
    for &(id, role) in list {
        if let Some(Value::Bytes(bytes)) = properties.get(id, CodePage::default())
            && let Some(target) = Target::of(&bytes)
        {
            roles.push((target, role));
        }
    }
    roles
}
