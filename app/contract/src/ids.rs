//! One type for each id, so that a mailbox's can never stand where a job's belongs.

use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;
            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// A customer of the hosting provider.
    TenantId,
    /// A person who works at the Desk.
    UserId,
    /// A scoped service token.
    TokenId,
    /// A ticket of the Desk.
    TicketId,
    /// A file on a ticket.
    AttachmentId,
    /// One domain's move.
    JobId,
    /// One mailbox of a job.
    MailboxId,
    /// One folder of a mailbox.
    FolderId,
    /// One message of the ledger.
    MessageId,
    /// One execution on a mailbox or a job.
    RunId,
    /// One step of a run.
    StepId,
    /// One line of a run's log.
    EventId,
    /// What one verification read on both sides.
    EvidenceId,
    /// One row of the audit log.
    AuditId,
    /// A message, or several at once, given up on purpose.
    WaiverId,
    /// One reading of a domain's DNS.
    DnsSnapshotId,
    /// An address that is told of events.
    WebhookId,
    /// One telling of one event to one address.
    DeliveryId,
    /// A signed link to one job.
    LinkId,
    /// An application that is registered with a provider of OAuth 2.
    OauthAppId,
    /// Somebody's consent to read or write a mailbox.
    ConsentId,
    /// A link that asks a mailbox's owner to consent.
    ConsentLinkId,
    /// A token that a provider is to take back.
    RevocationId,
    /// Jobs and mailboxes that move together.
    WaveId,
    /// When runs start by themselves.
    ScheduleId,
    /// One moment at which runs were due.
    OccurrenceId,
    /// What rests until somebody lets it go on.
    PauseId,
}
