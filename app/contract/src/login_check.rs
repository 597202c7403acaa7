//! The check of all log-ins of a job: no run, nothing is copied or counted.

use crate::{
    JobId, MailboxId, SourceType,
    names::{UnknownName, names},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// How the check of one log-in stands.
    "state of a check" LoginState {
        /// Its turn has not come yet.
        Waiting = "waiting",
        /// It is tried.
        Checking = "checking",
        /// The account can be opened.
        Good = "good",
        /// It cannot.
        Bad = "bad",
        /// It was not tried, so that the server does not shut us out after too many refusals.
        Held = "held",
        /// There is nothing to log in to: the mail comes from files.
        None = "none",
    }
}

/// The check of one log-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginCheck {
    /// How it stands.
    pub state: LoginState,
    /// What is wrong and what to do; nothing while all is well.
    pub sentence: Option<String>,
    /// The kind of fault, for programs: `login`, `unreachable`, `tls`, …
    pub kind: Option<String>,
    /// Whether the certificate of the connection was not verified, or there was none.
    pub unprotected: bool,
    /// Folders that the account showed.
    pub folders: Option<i64>,
    /// What the server calls itself.
    pub server: Option<String>,
    /// How long it took.
    pub milliseconds: Option<i64>,
    /// When it was asked for.
    pub requested_at: String,
    /// When it ended.
    pub checked_at: Option<String>,
}

/// A mailbox and its two log-ins; nothing for one that was never checked, or not since its settings changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MailboxLogins {
    /// The mailbox.
    pub mailbox_id: MailboxId,
    /// Its address.
    pub email: String,
    /// Where its mail comes from.
    pub source_type: SourceType,
    /// The old server, `host:port`.
    pub source_server: Option<String>,
    /// The new server, `host:port`.
    pub dest_server: String,
    /// The log-in at the old server.
    pub source: Option<LoginCheck>,
    /// The log-in at the new server.
    pub dest: Option<LoginCheck>,
}

/// How many log-ins stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginCounts {
    /// Log-ins in all; those of files do not count.
    pub total: i64,
    /// Whose turn has not come yet, or who are tried now.
    pub open: i64,
    /// Accounts that can be opened.
    pub good: i64,
    /// Accounts that cannot.
    pub bad: i64,
    /// Not tried, for the servers' sake.
    pub held: i64,
    /// Never checked, or not since the settings changed.
    pub unchecked: i64,
}

/// The log-ins of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginReport {
    /// The job.
    pub job_id: JobId,
    /// How many stand how.
    pub counts: LoginCounts,
    /// Every mailbox of the job.
    pub mailboxes: Vec<MailboxLogins>,
}

names! {
    /// Which log-ins are to be checked.
    "choice of log-ins" LoginChoice {
        /// All of the job.
        All = "all",
        /// Those that failed, were held back or never checked.
        Failed = "failed",
    }
}

/// Which log-ins to check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginRequest {
    /// All where left out.
    #[serde(default = "all")]
    pub only: LoginChoice,
    /// Only those of these mailboxes; of all where left out.
    #[serde(default)]
    pub mailbox_ids: Option<Vec<MailboxId>>,
}

const fn all() -> LoginChoice {
    LoginChoice::All
}

impl Default for LoginRequest {
    fn default() -> Self {
        Self { only: LoginChoice::All, mailbox_ids: None }
    }
}
