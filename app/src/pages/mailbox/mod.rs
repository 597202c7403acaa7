//! Mailboxes: adding one or many, looking at one and at its files, changing it.

mod fields;
pub mod files;
pub mod find;
pub mod import;
pub mod inspect;
mod inspect_folders;
pub mod new;
pub mod preview;
pub mod show;
mod ways;
