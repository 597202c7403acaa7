//! OAuth 2 in the Desk: applications, consents, tokens.
//!
//! An *application* is what the provider knows us by. A *consent* is one owner's, for one mailbox, or an administrator's,
//! for all mailboxes of a job. Its tokens are sealed; whoever logs in at a mail server asks [`ConsentTokens`] for one at
//! each connection, and it is renewed shortly before it ends by whoever needs it, once for all tasks and processes.
//!
//! A token is shown to the mail servers that its application names and to no other, whatever a mailbox says its server is.
//! How the protocol goes is the crate `gatepost-oauth`'s business.

mod accounts;
mod apps;
mod asking;
mod browser;
mod consents;
mod device;
mod giving_back;
mod granting;
mod guest;
mod registered;
mod sealing;
mod serving;
mod tokens;

pub use browser::{Arrival, Departure};

pub(crate) use accounts::dest_of;
pub(crate) use serving::{Serving, ShownTo, tokens as consented};

use tokens::ConsentTokens;

use crate::{Error, limits::Client, limits::Limiter, links::Signer};
use gatepost_contract::{Consent, ConsentId, ConsentLinkId, Secret};
use gatepost_oauth::OauthError;
use gatepost_transfer::{Fault, FaultKind};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, num::NonZeroU32, sync::Mutex, time::Instant};
use tokio_util::task::TaskTracker;

/// What a link's key is derived for.
const PURPOSE: &[u8] = b"gatepost consent link v1";
/// How often a minute one link may be opened.
const OPENINGS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");
/// How often a minute one client may come back from a provider.
const ARRIVALS: NonZeroU32 = NonZeroU32::new(60).expect("not zero");

/// What this process keeps beside the database.
pub(crate) struct Consents {
    signer: Signer,
    opened: Limiter<ConsentLinkId>,
    arrived: Limiter<Client>,
    /// Renewals that have just failed: whoever comes next gets the same answer, and the provider some peace.
    failed: Mutex<HashMap<(ConsentId, String), Failed>>,
    /// Tasks that a provider's answer is waited for in, or written down.
    under_way: TaskTracker,
}

/// A renewal that has failed.
struct Failed {
    until: Instant,
    kind: FaultKind,
    sentence: String,
}

impl Consents {
    pub fn new(installation: &Secret) -> crate::Result<Self> {
        Ok(Self {
            signer: Signer::for_purpose(installation, PURPOSE)?,
            opened: Limiter::per_minute(OPENINGS),
            arrived: Limiter::per_minute(ARRIVALS),
            failed: Mutex::default(),
            under_way: TaskTracker::new(),
        })
    }
}

impl crate::Gatepost {
    /// Waits for what providers were asked: a refresh token that took the place of another is lost with the process that
    /// has not written it down. Whoever ends the process calls this.
    pub async fn await_providers(&self) {
        let under_way = &self.consents().under_way;
        under_way.close();
        under_way.wait().await;
    }
}

/// A refusal of the protocol as the service's. What a person can mend is theirs; what a provider did not do is its.
fn refused(error: &OauthError) -> Error {
    let detail = error.to_string();
    match error {
        OauthError::Unreachable { .. } | OauthError::Nonsense { .. } => {
            Error::Elsewhere { code: "provider_failed", detail }
        }
        OauthError::Setup(_) => Error::conflict("oauth_setup", detail),
        OauthError::ConsentGone { .. } | OauthError::Denied { .. } | OauthError::ScopeMissing { .. } => {
            Error::conflict("consent_refused", detail)
        }
        OauthError::Expired => Error::conflict("consent_expired", detail),
        OauthError::Pending | OauthError::SlowDown => Error::conflict("consent_pending", detail),
        OauthError::Refused { .. } => Error::conflict("provider_refused", detail),
    }
}

/// The same as the fault of a log-in. `again` says where to mend it.
fn fault(error: &OauthError, again: &str) -> Fault {
    let kind = match error {
        OauthError::Unreachable { .. } => FaultKind::Timeout,
        OauthError::Nonsense { .. } => FaultKind::WrongService,
        _ => FaultKind::Login,
    };
    let sentence = match error {
        OauthError::Unreachable { .. } => error.to_string(),
        _ => format!("{error} {again}"),
    };
    let retry_after = match error {
        OauthError::Unreachable { retry_after, .. } => *retry_after,
        _ => None,
    };
    Fault { retry_after, ..Fault::new(kind, sentence) }
}

/// Whose mailbox a consent is about, for a sentence.
fn whose(consent: &Consent) -> String {
    match (&consent.email, &consent.domain) {
        (Some(email), _) => email.clone(),
        (None, Some(domain)) => format!("all mailboxes of {domain}"),
        (None, None) => format!("job {}", consent.job_id),
    }
}

/// What the database keeps of a text that only a browser has.
fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
