//! Mailboxes: adding one or many, looking at one and at its files, changing it.

mod fields;
pub mod files;
pub mod import;
pub mod inspect;
mod inspect_folders;
pub mod new;
pub mod show;
