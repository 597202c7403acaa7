//! Finds the settings of a mail server from a domain or an address: SRV records (RFC 6186, RFC 8314), Thunderbird's
//! autoconfig, Outlook's autodiscover, providers that are known by their MX, and usual names.
//!
//! Everything here is a proposal with its origin and how sure it is; nothing is applied. What strangers say (records,
//! files, answers) is bounded and judged: hosts must be names, ports those of IMAP, connections protected. How to ask the
//! web and how to try a server is the business of whoever implements [`gatepost_web::Web`] and [`Prober`], and so are the
//! addresses that must not be reached.

mod ask;
pub mod autoconfig;
pub mod autodiscover;
mod candidate;
mod probe;
pub mod providers;
mod rank;
mod records;
mod search;
mod subject;
pub mod xml;

pub use candidate::{Candidate, host};
pub use probe::{Greeted, NoProber, Prober, Unseen};
pub use search::{Means, discover};
pub use subject::Subject;
