//! Mailboxes: adding one or many, looking at one, changing it.

mod fields;
pub mod import;
pub mod new;
pub mod show;
