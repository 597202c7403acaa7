//! The Gatepost service: one file for each noun. Checks who may do what, keeps transactions whole, writes the audit
//! log, runs the work and computes the gate. Knows no HTTP and no IMAP: those call it, or are handed in as
//! [`Drivers`].

mod actor;
mod audit;
mod auth;
mod budgets;
mod care;
mod clock;
mod config;
mod drivers;
mod error;
mod evidence;
mod gate;
mod gatepost;
mod import;
mod jobs;
mod ledger;
mod mailboxes;
mod pace;
mod phases;
mod runs;
pub mod standalone;
mod tenants;
mod tickets;
mod tokens;
mod users;
mod validate;
mod work;
mod worker;

pub use actor::Actor;
pub use audit::{AuditProof, BrokenAudit};
pub use budgets::{HostRule, in_force, known_hosts};
pub use config::Config;
pub use drivers::{Access, Credential, Drivers, GmailLabels};
pub use error::{Error, Result};
pub use gatepost::Gatepost;
