//! All SQL of the project, one file for each table.
//!
//! A [`Store`] hands out two kinds of connection: [`Store::reader`] to look, [`Store::begin`] to change. Both
//! dereference to [`Conn`], which is what every table function takes first, so that one transaction can span as many
//! tables as a change needs:
//!
//! ```no_run
//! # async fn example(store: &gatepost_store::Store, now: &str) -> gatepost_store::Result<()> {
//! use gatepost_store::{settings, tenants};
//! let mut tx = store.begin().await?;
//! let id = tenants::insert(&mut tx, "Example Ltd", now).await?;
//! settings::put(&mut tx, "first_tenant", &id.to_string(), now).await?;
//! tx.commit().await?;
//! let found = tenants::get(&mut *store.reader().await?, id).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The statements are meant for SQLite and for PostgreSQL alike; what only one of them understands stands in
//! `dialect.rs`. The store has no clock: times are RFC 3339 text in UTC with milliseconds, given by the caller. It
//! knows no actor, no permission and no rule of the gate. After an error inside a transaction, roll it back: PostgreSQL
//! accepts nothing more in it.

mod dialect;
mod error;
mod migrate;
mod open;
mod read;
mod sql;

pub mod attachments;
pub mod audit;
pub mod budgets;
pub mod clock;
pub mod credentials;
pub mod cutovers;
pub mod dns_snapshots;
pub mod events;
pub mod evidence;
pub mod figures;
pub mod folders;
pub mod gate_checks;
pub mod gate_history;
pub mod import_previews;
pub mod jobs;
pub mod login_checks;
pub mod mailboxes;
pub mod messages;
pub mod metric_samples;
pub mod oauth_apps;
pub mod oauth_consents;
pub mod oauth_requests;
pub mod oauth_revocations;
pub mod oauth_tokens;
pub mod pauses;
pub mod phase_history;
pub mod reports;
pub mod runs;
pub mod schedules;
pub mod sessions;
pub mod settings;
pub mod share_links;
pub mod steps;
pub mod tenants;
pub mod tickets;
pub mod timeline;
pub mod tokens;
pub mod uploads;
pub mod users;
pub mod waivers;
pub mod waves;
pub mod webhook_deliveries;
pub mod webhook_receipts;
pub mod webhooks;

#[cfg(test)]
mod plans;

pub use error::{Error, Result};
pub use open::{Reader, Store, Tx};

/// A connection, within a transaction or not. What every table function takes.
pub type Conn = sqlx::AnyConnection;
