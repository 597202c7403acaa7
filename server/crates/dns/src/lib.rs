//! A domain's DNS as several resolvers see it: what stands there, what a change of the MX will break, how far the
//! change has spread, and how to take it back.
//!
//! [`Dns`] asks and makes a [`DnsSnapshot`](gatepost_contract::DnsSnapshot); everything else is a pure function of
//! snapshots. Nothing here knows jobs, gates or the database, and nothing has a clock: times are given by the caller.
//! Answers come from strangers: their number and size are bounded, and names in them are never trusted to be sane.

mod address;
mod findings;
mod lookup;
mod questions;
mod read;
mod resolvers;
mod rollback;
mod snapshot;
mod spf;
mod spread;
mod text;
mod upstream;

pub use address::{embedded, in_network, refusal};
pub use findings::{Plan, findings};
pub use lookup::{is_conclusive, leads_to};
pub use read::{hosts, mx_hosts};
pub use resolvers::{BadResolver, parse_resolvers, system_resolvers};
pub use rollback::rollback;
pub use snapshot::{Asked, Dns, Options};
pub use spread::{Reading, countdown, propagation, short_ttl};
