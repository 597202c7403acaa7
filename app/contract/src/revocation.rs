//! Tokens that a provider is asked to take back once their consent was withdrawn here, or was not taken because it is
//! another account's.

use crate::{
    ConsentId, JobId, MailboxId, MailboxSide, RevocationId,
    names::{UnknownName, names},
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// Whether a provider has taken a token back.
    "revocation state" RevocationState {
        /// Not yet; it is asked again.
        Waiting = "waiting",
        /// It has said so.
        Confirmed = "confirmed",
        /// It never did. Somebody has to take the consent back at the provider.
        GivenUp = "given_up",
    }
}

/// A consent that was taken back here, or not taken because it is another account's, and how far its provider has
/// followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revocation {
    /// Its id.
    pub id: RevocationId,
    /// The consent, which may be gone.
    pub consent_id: ConsentId,
    /// The application that was consented to.
    pub app_name: String,
    /// The job.
    pub job_id: JobId,
    /// The mailbox; none once it was removed.
    pub mailbox_id: Option<MailboxId>,
    /// The mailbox's address.
    pub email: String,
    /// The server that the consent opened.
    pub side: MailboxSide,
    /// Whether the provider has confirmed.
    pub state: RevocationState,
    /// How often it was asked.
    pub tries: i64,
    /// What hindered the last attempt.
    pub error: Option<String>,
    /// Who took the consent back, or brought that of another account.
    pub withdrawn_by: String,
    /// When: nothing was done with it here from then on.
    pub withdrawn_at: String,
    /// When the provider is asked again.
    pub next_try_at: Option<String>,
    /// When it confirmed, or was given up.
    pub settled_at: Option<String>,
}
