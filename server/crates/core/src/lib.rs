//! The Gatepost service: one file for each noun. Checks who may do what, keeps transactions whole, writes the audit
//! log, runs the work and computes the gate. Knows no HTTP and no IMAP: those call it, or are handed in as
//! [`Drivers`].

mod access;
mod actor;
mod audit;
mod auth;
mod budgets;
mod care;
mod clock;
mod config;
mod courier;
mod cutover;
mod dashboard;
mod discovery;
mod dns;
mod drivers;
mod error;
mod evidence;
mod files;
mod gate;
mod gatepost;
mod import;
mod jobs;
mod ledger;
mod limits;
mod links;
mod logins;
mod logs;
mod mailboxes;
mod measure;
mod message;
mod meter;
mod oauth;
mod pace;
mod pauses;
mod phases;
mod proof;
mod quarantine;
mod report;
mod residue;
mod runs;
mod schedules;
pub mod standalone;
mod stragglers;
mod tenants;
#[cfg(test)]
mod testing;
mod tickets;
mod timeline;
mod tokens;
mod tool_log;
mod tools;
mod uploads;
mod users;
mod validate;
mod waivers;
mod waves;
mod ways;
mod webhooks;
mod work;
mod worker;

pub use actor::Actor;
pub use audit::EXPORT_ROWS;
pub use budgets::{HostRule, in_force, known_hosts};
pub use config::Config;
pub use courier::{Courier, Letter, Outbound, Reply, Undelivered};
pub use cutover::SignedHeaders;
pub use drivers::{Access, Credential, Drivers, FileAccess, GmailLabels, MailFile};
pub use error::{Error, Result};
pub use gatepost::Gatepost;
pub use gatepost_dns::mx_hosts;
pub use links::{SharedFile, SharedReport};
pub use measure::describe;
pub use message::MessageDownload;
pub use oauth::{Arrival, Departure};
pub use report::{ReportData, report_key};
pub use schedules::check_schedule;
pub use tool_log::ToolLog;
pub use tools::{
    EngineFolder, EngineJob, EngineMoved, EngineRefusal, EngineSaid, ExternalTools, MboxUpload, MboxUploaded, NoTools,
    ToolRun,
};
pub use uploads::{Checksum, MAX_PIECES, ReceivedFile, UploadBody, UploadFiles, UploadLimits, UploadRefusal};
pub use webhooks::{may_connect, names_host};
