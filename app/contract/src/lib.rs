//! What the browser and the server both speak: ids, states, data transfer objects and [`Problem`].
//!
//! No IO, no clock, no business rule. Names of states, roles and checks are those of the data model and
//! appear on the wire and in the database exactly as [`std::fmt::Display`] prints them. Times are RFC 3339
//! text in UTC; sizes are bytes; percentages run from 0 to 100.

mod audit;
mod dns;
mod dns_states;
mod evidence;
mod gate;
mod identity;
mod ids;
mod job;
mod link;
mod mailbox;
mod names;
mod page;
mod problem;
mod report;
mod residue;
mod run;
mod states;
mod ticket;
mod timeline;
mod told_states;
mod upload;
mod upload_states;
mod webhook;

pub use audit::*;
pub use dns::*;
pub use dns_states::*;
pub use evidence::*;
pub use gate::*;
pub use identity::*;
pub use ids::*;
pub use job::*;
pub use link::*;
pub use mailbox::*;
pub use names::UnknownName;
pub use page::*;
pub use problem::*;
pub use report::*;
pub use residue::*;
pub use run::*;
pub use states::*;
pub use ticket::*;
pub use timeline::*;
pub use told_states::*;
pub use upload::*;
pub use upload_states::*;
pub use webhook::*;
