//! What the browser and the server both speak: ids, states, data transfer objects and [`Problem`].
//!
//! No IO, no clock, no business rule. Names of states, roles and checks are those of the data model and
//! appear on the wire and in the database exactly as [`std::fmt::Display`] prints them. Times are RFC 3339
//! text in UTC; sizes are bytes; percentages run from 0 to 100.

mod audit;
mod dashboard;
mod discovery;
mod dns;
mod dns_states;
mod evidence;
mod gate;
mod identity;
mod ids;
mod import;
mod job;
mod link;
mod login_check;
mod mailbox;
mod names;
mod oauth;
mod page;
mod pause;
mod problem;
mod report;
mod residue;
mod revocation;
mod run;
mod schedule;
mod states;
mod ticket;
mod timeline;
mod told_states;
mod upload;
mod upload_states;
mod wave;
mod webhook;

pub use audit::*;
pub use dashboard::*;
pub use discovery::*;
pub use dns::*;
pub use dns_states::*;
pub use evidence::*;
pub use gate::*;
pub use identity::*;
pub use ids::*;
pub use import::*;
pub use job::*;
pub use link::*;
pub use login_check::*;
pub use mailbox::*;
pub use names::UnknownName;
pub use oauth::*;
pub use page::*;
pub use pause::*;
pub use problem::*;
pub use report::*;
pub use residue::*;
pub use revocation::*;
pub use run::*;
pub use schedule::*;
pub use states::*;
pub use ticket::*;
pub use timeline::*;
pub use told_states::*;
pub use upload::*;
pub use upload_states::*;
pub use wave::*;
pub use webhook::*;
