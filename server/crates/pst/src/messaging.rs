//! The messaging layer (MS-PST 2.4): the store, its folders, their items, what belongs to an item.

mod attachment;
mod folders;
mod index;
mod items;
mod message;
mod names;
mod properties;
mod roles;

pub use attachment::PstAttachment;
pub use folders::{Folder, folders};
pub use index::Index;
pub use items::{ItemRef, Items};
pub use message::PstMessage;
pub use names::Names;
pub use roles::Role;

/// Kinds of nodes: the low five bits of their ids (MS-PST 2.2.2.1).
pub(crate) mod kinds {
    pub const FOLDER: u32 = 0x02;
    pub const MESSAGE: u32 = 0x04;
    pub const ATTACHMENT: u32 = 0x05;
    pub const HIERARCHY_TABLE: u32 = 0x0D;
    pub const CONTENTS_TABLE: u32 = 0x0E;
}

/// Nodes with ids of their own (MS-PST 2.4.1).
pub(crate) mod nids {
    pub const STORE: u32 = 0x21;
    pub const NAMES: u32 = 0x61;
    pub const ROOT: u32 = 0x122;
    pub const RECEIVE_FOLDERS: u32 = 0x62B;
    pub const ATTACHMENTS: u32 = 0x671;
    pub const RECIPIENTS: u32 = 0x692;
}

/// The kind of a node.
pub(crate) fn kind(nid: u32) -> u32 {
    nid & 0x1F
}

/// The node of another kind that goes with a folder.
pub(crate) fn sibling(nid: u32, kind: u32) -> u32 {
    nid & !0x1F | kind
}
