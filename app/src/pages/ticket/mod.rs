//! Tickets: the list, a new one, the ticket itself.

pub mod list;
pub mod new;
pub mod show;
