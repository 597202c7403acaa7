//! Signed links to one job: for a ticket of another system, and for the customer. What is reachable with them is all
//! here: no names of people, no hosts, no addresses.

use crate::{CheckId, CheckStatus, Gate, JobId, LinkId, LinkKind, Phase, Secret, Tally};
use serde::{Deserialize, Serialize};

/// A link, without its token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ShareLink {
    /// Its id.
    pub id: LinkId,
    /// The job that it shows.
    pub job_id: JobId,
    /// What it shows of the job.
    pub kind: LinkKind,
    /// Where it is used, for people.
    pub label: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: String,
    /// After this it is refused.
    pub expires_at: String,
    /// Since when it is refused.
    pub revoked_at: Option<String>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<String>,
    /// Whether it opens what it is for: it is neither revoked nor expired.
    pub usable: bool,
}

/// A new link.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewLink {
    /// What it shows of the job.
    pub kind: LinkKind,
    /// Where it is used, for people; at most 200 characters.
    #[serde(default)]
    pub label: String,
    /// Days until it is refused, 1 to 366; 90 where left out.
    #[serde(default)]
    pub days: Option<u32>,
}

/// A link on the one occasion on which its token is shown.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedLink {
    /// What is stored about it.
    #[serde(flatten)]
    pub link: ShareLink,
    /// The token; it is not stored.
    pub token: Secret,
    /// The address that it opens: the picture, or the customer's page.
    pub url: Secret,
    /// Ready to be put into a page or a ticket.
    pub snippets: Vec<Snippet>,
}

/// A text with the token in it, ready to be pasted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snippet {
    /// `address`, `image_html`, `image_markdown` or `frame_html`.
    pub kind: String,
    /// The text.
    pub text: Secret,
}

/// All that a badge's link shows: the gate of one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedGate {
    /// The domain.
    pub domain: String,
    /// The verdict.
    pub gate: Gate,
    /// Whether the job is closed: what it once proved says nothing about today.
    pub closed: bool,
    /// How each check came out; their sentences may name mailboxes and are left out.
    pub checks: Vec<(CheckId, CheckStatus)>,
    /// When the evidence was read.
    pub evidence_at: Option<String>,
    /// When the gate was approved.
    pub approved_at: Option<String>,
    /// The reason of an override, where there is one.
    pub override_reason: Option<String>,
    /// When the MX was changed.
    pub dns_cutover_at: Option<String>,
}

/// All that a customer's link shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SharedProgress {
    /// The domain.
    pub domain: String,
    /// Where the job stands; the phase that failed, where one did.
    pub phase: Phase,
    /// Whether that phase failed.
    pub failed: bool,
    /// Whether something is being done right now.
    pub at_work: bool,
    /// How many mailboxes move.
    pub mailboxes: i64,
    /// How many of them have nothing left to be copied.
    pub mailboxes_complete: i64,
    /// Messages at the old server, by the last count.
    pub messages_source: i64,
    /// Messages that were copied.
    pub messages_dest: i64,
    /// Bytes at the old server.
    pub bytes_source: i64,
    /// Bytes that were copied.
    pub bytes_dest: i64,
    /// Copied ÷ source, 0 to 100.
    pub percent: f64,
    /// What was proved by reading both sides, once every mailbox was.
    pub proof: Option<SharedProof>,
    /// Whether somebody went on in spite of failed checks.
    pub overridden: bool,
    /// When the MX was changed.
    pub dns_cutover_at: Option<String>,
    /// When something about the job last changed.
    pub updated_at: String,
    /// When the link ends.
    pub expires_at: String,
}

/// What verification read on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedProof {
    /// When.
    pub read_at: String,
    /// How the messages add up.
    pub tally: Tally,
    /// Messages that arrived otherwise than they were sent: changed, misplaced or doubled.
    pub flawed: i64,
}

impl SharedProof {
    /// Whether everything is where it belongs, or was left out on purpose.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.tally.pending == 0 && self.tally.quarantined == 0 && self.flawed == 0
    }
}
